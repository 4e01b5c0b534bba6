//! File descriptors: the process takes as many as it may, and as many connections as they suffice
//! for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for all that is no client and no endpoint: listeners, probes, the API server, what
/// each thread waits with.
const RESERVE: u64 = 96;

/// Raises the soft limit to the hard one, and says how many of `wanted` connections fit: each may
/// need one to an endpoint.
pub(super) fn fit(wanted: usize) -> usize {
    let Some(limit) = raise() else { return wanted };
    let most = most_connections(limit);
    if most >= wanted {
        return wanted;
    }
    tracing::warn!(
        limit,
        connections = most,
        "the limit on open files leaves no room for --max-connections {wanted}: raise it to {} \
         (ulimit -n, or LimitNOFILE of a service), or lower --max-connections",
        needed(wanted)
    );
    most
}

/// The limit; `None` where there is none.
fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current }
}

fn most_connections(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(RESERVE) / 2).unwrap_or(usize::MAX).max(1)
}

fn needed(connections: usize) -> u64 {
    (connections as u64).saturating_mul(2).saturating_add(RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_what_suffices() {
        for connections in [1, 80, 20_000] {
            assert_eq!(most_connections(needed(connections)), connections);
        }
        assert_eq!((most_connections(0), most_connections(256)), (1, 80));
    }
}
