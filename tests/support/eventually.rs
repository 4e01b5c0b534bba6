//! Waiting for a condition instead of for time.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

/// How long to leave the system alone between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// The first `Ok` of `probe`. Panics with `what` and the last error when `deadline` has passed.
pub(crate) async fn eventually<T, E, F>(deadline: Duration, what: &str, mut probe: impl FnMut() -> F) -> T
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + deadline;
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < end, "{what}: not within {deadline:?}, last: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
