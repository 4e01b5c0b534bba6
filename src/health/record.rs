//! What the checks of one endpoint have come to.

use crate::model::health::HealthCheck;

/// The state of an endpoint, and the checks in a row that speak against it.
#[derive(Debug)]
pub(super) struct Record {
    unhealthy: bool,
    against: u16,
}

impl Record {
    /// A record that begins with a state.
    pub(super) const fn new(unhealthy: bool) -> Self {
        Self { unhealthy, against: 0 }
    }

    /// Notes a check. Where it changes the state: whether the endpoint is unhealthy now.
    pub(super) fn note(&mut self, passed: bool, check: &HealthCheck) -> Option<bool> {
        if passed != self.unhealthy {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        let wanted = if self.unhealthy { check.healthy_threshold } else { check.unhealthy_threshold };
        (self.against >= wanted).then(|| {
            *self = Self::new(!self.unhealthy);
            self.unhealthy
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const CHECK: HealthCheck = HealthCheck {
        request: None,
        port: None,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        healthy_threshold: 2,
        unhealthy_threshold: 3,
    };

    fn changes(record: &mut Record, checks: &str) -> Vec<Option<bool>> {
        checks.bytes().map(|check| record.note(check == b'+', &CHECK)).collect()
    }

    #[test]
    fn so_many_in_a_row_change_the_state() {
        let mut record = Record::new(false);
        assert_eq!(changes(&mut record, "+--+--"), [None; 6], "never three in a row");
        assert_eq!(changes(&mut record, "-"), [Some(true)]);
        assert_eq!(changes(&mut record, "-+-+"), [None; 4], "never two in a row");
        assert_eq!(changes(&mut record, "+"), [Some(false)]);
        assert_eq!(changes(&mut record, "---"), [None, None, Some(true)]);
    }

    #[test]
    fn a_record_may_begin_unhealthy() {
        assert_eq!(changes(&mut Record::new(true), "++"), [None, Some(false)]);
    }
}
