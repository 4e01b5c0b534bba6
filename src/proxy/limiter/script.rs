//! The script that takes tokens in the shared store, and what it is told and answers.

use super::key::Asked;
use crate::model::limit::{LimitScope, RequestLimits};
use redis::{Script, aio::MultiplexedConnection};
use std::time::Duration;

/// Takes all tokens or none, by the store's own clock.
const TAKE: &str = include_str!("take.lua");

/// What the store says of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// How long until it is full.
    pub(super) full_in: Duration,
    /// How long until there is a token; zero where there was one.
    pub(super) wait: Duration,
}

/// The script. The store keeps it by its hash, which is all that a request sends.
#[derive(Debug)]
pub(super) struct Take(Script);

impl Default for Take {
    fn default() -> Self {
        Self(Script::new(TAKE))
    }
}

impl Take {
    /// Hands the script to the store, which also shows that it can be written to.
    pub(super) async fn load(&self, connection: &mut MultiplexedConnection) -> redis::RedisResult<()> {
        self.0.prepare_invoke().load_async(connection).await.map(drop)
    }

    /// Takes from the shared limits, one answer for each in their order.
    pub(super) async fn run(
        &self,
        limits: &RequestLimits,
        asked: &Asked<'_>,
        connection: &mut MultiplexedConnection,
    ) -> redis::RedisResult<Vec<Answer>> {
        let mut call = self.0.prepare_invoke();
        for limit in limits.limits.iter().filter(|limit| limit.scope == LimitScope::Cluster) {
            call.key(asked.value(&limit.key).name(&limit.id));
            call.arg(limit.pace.per_token()).arg(limit.pace.from_empty());
        }
        let answers: Vec<u64> = call.invoke_async(connection).await?;
        let (pairs, _) = answers.as_chunks::<2>();
        let micros = Duration::from_micros;
        Ok(pairs.iter().map(|[full_in, wait]| Answer { full_in: micros(*full_in), wait: micros(*wait) }).collect())
    }
}
