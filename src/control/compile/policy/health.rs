//! How the health of endpoints is judged, as the model has it. The schema refuses what is out of
//! range; what gets past it is brought into range.

use crate::{
    model::health::{CheckRequest, GetCheck, HealthCheck, OutlierPolicy},
    resource::{self, OutlierKind},
};
use std::{ops::RangeInclusive, time::Duration};

/// The shortest interval of checks, and of ejections.
const SHORTEST: Duration = Duration::from_millis(100);

pub(super) fn outlier(asked: &resource::OutlierEjection) -> OutlierPolicy {
    let counts = |kind| asked.fail_on.is_empty() || asked.fail_on.contains(&kind);
    OutlierPolicy {
        consecutive_errors: count(asked.consecutive_errors, 5),
        ejection_time: asked.ejection_time.map_or(Duration::from_secs(30), |time| time.0.max(SHORTEST)),
        max_ejection_percent: asked.max_ejection_percent.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(50),
        count_connect_failures: counts(OutlierKind::ConnectFailure),
        count_server_errors: counts(OutlierKind::ServerError),
        count_timeouts: counts(OutlierKind::Timeout),
    }
}

pub(super) fn health_check(asked: &resource::HealthCheck) -> HealthCheck {
    HealthCheck {
        request: request(asked),
        port: asked.port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
        interval: asked.interval.map_or(Duration::from_secs(10), |time| time.0.max(SHORTEST)),
        timeout: asked.timeout.map_or(Duration::from_secs(1), |time| time.0.max(Duration::from_millis(1))),
        healthy_threshold: count(asked.healthy_threshold, 2),
        unhealthy_threshold: count(asked.unhealthy_threshold, 3),
    }
}

fn request(asked: &resource::HealthCheck) -> Option<CheckRequest> {
    if let Some(grpc) = &asked.grpc {
        return Some(CheckRequest::Grpc(grpc.service.as_deref().unwrap_or_default().into()));
    }
    let path = asked.path.as_deref()?.into();
    let host = asked.host.as_deref().map(Into::into);
    Some(CheckRequest::Get(GetCheck { path, host, statuses: statuses(asked.statuses.as_deref()) }))
}

fn count(asked: Option<i32>, default: u16) -> u16 {
    asked.and_then(|count| u16::try_from(count).ok()).map_or(default, |count| count.max(1))
}

fn statuses(asked: Option<&[String]>) -> Box<[RangeInclusive<u16>]> {
    let range = |text: &String| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    asked.map_or_else(|| [200..=299].into(), |asked| asked.iter().filter_map(range).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::duration::GatewayDuration;

    #[test]
    fn what_is_left_out_has_its_default() {
        let check = health_check(&resource::HealthCheck { path: Some("/healthz".into()), ..Default::default() });
        let Some(CheckRequest::Get(request)) = check.request else { panic!("{check:?}") };
        assert_eq!((&*request.path, request.host, &*request.statuses), ("/healthz", None, &[200..=299][..]));
        assert_eq!((check.port, check.interval.as_secs(), check.timeout.as_secs()), (None, 10, 1));
        assert_eq!((check.healthy_threshold, check.unhealthy_threshold), (2, 3));
        assert_eq!(health_check(&resource::HealthCheck::default()).request, None);
        let ejection = outlier(&resource::OutlierEjection::default());
        assert_eq!((ejection.consecutive_errors, ejection.ejection_time.as_secs()), (5, 30));
        assert_eq!(ejection.max_ejection_percent, 50);
        assert!(ejection.count_connect_failures && ejection.count_server_errors && ejection.count_timeouts);
    }

    #[test]
    fn a_check_by_grpc_is_for_one_service_or_for_all() {
        for (service, wanted) in [(None, ""), (Some("shop.Cart"), "shop.Cart")] {
            let grpc = resource::GrpcHealthCheck { service: service.map(str::to_owned) };
            let check = health_check(&resource::HealthCheck { grpc: Some(grpc), ..Default::default() });
            assert_eq!(check.request, Some(CheckRequest::Grpc(wanted.into())));
        }
    }

    #[test]
    fn statuses_stand_alone_or_in_ranges() {
        let asked = ["204", "300-399"].map(str::to_owned);
        assert_eq!(*statuses(Some(&asked)), [204..=204, 300..=399]);
    }

    #[test]
    fn what_gets_past_the_schema_is_brought_into_range() {
        let zero = Some(GatewayDuration(Duration::ZERO));
        let asked = resource::HealthCheck {
            interval: zero,
            timeout: zero,
            healthy_threshold: Some(0),
            unhealthy_threshold: Some(-1),
            port: Some(0),
            ..Default::default()
        };
        let check = health_check(&asked);
        assert_eq!((check.interval.as_millis(), check.timeout.as_millis(), check.port), (100, 1, None));
        assert_eq!((check.healthy_threshold, check.unhealthy_threshold), (1, 3));
    }

    #[test]
    fn only_the_errors_that_are_named_count() {
        let asked = resource::OutlierEjection { fail_on: vec![OutlierKind::Timeout], ..Default::default() };
        let policy = outlier(&asked);
        assert!(policy.count_timeouts && !policy.count_connect_failures && !policy.count_server_errors);
    }
}
