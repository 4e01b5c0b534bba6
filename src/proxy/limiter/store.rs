//! The connection of one core to the store that all replicas share, and what happens without it.
//!
//! A request waits for the store once, and not for long. After a failure nobody asks it until a new
//! connection has shown that it works, so that an outage costs the requests no time.

use super::{
    key::Asked,
    script::{Answer, Take},
};
use crate::{metrics::CoreMetrics, model::limit::RequestLimits, settings::SharedStore};
use redis::{AsyncConnectionConfig, RedisError, aio::MultiplexedConnection};
use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, time::timeout};

/// How long connecting may take, with everything that is said before the first request.
const CONNECT: Duration = Duration::from_secs(2);
/// The first pause before a new connection, give or take a half; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a connection is looked after, and how long that may take: nobody waits for it, and a
/// busy machine must not lose a connection that works.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that lasted so long was no passing success.
const LASTING: Duration = Duration::from_secs(10);

/// The store did not answer, or is not asked for the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unavailable;

/// The connection of one core.
pub(super) struct Store {
    settings: SharedStore,
    take: Take,
    connection: RefCell<Option<MultiplexedConnection>>,
    /// Which connection it is, so that a request that failed on an old one leaves the new one alone.
    number: Cell<u64>,
    lost: Notify,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Store {
    pub(super) fn new(settings: &SharedStore) -> Self {
        Self {
            settings: settings.clone(),
            take: Take::default(),
            connection: RefCell::default(),
            number: Cell::default(),
            lost: Notify::new(),
        }
    }

    /// Takes from the limits that all replicas count together, in one round trip.
    pub(super) async fn take(&self, limits: &RequestLimits, asked: &Asked<'_>) -> Result<Vec<Answer>, Unavailable> {
        let mut connection = self.connection.borrow().clone().ok_or(Unavailable)?;
        let number = self.number.get();
        match timeout(self.settings.timeout, self.take.run(limits, asked, &mut connection)).await {
            Ok(Ok(answers)) => Ok(answers),
            Ok(Err(error)) => Err(self.lose(number, &error)),
            Err(_) => Err(self.lose(number, &format_args!("no answer within {:?}", self.settings.timeout))),
        }
    }

    fn lose(&self, number: u64, why: &dyn std::fmt::Display) -> Unavailable {
        if number == self.number.get() && self.connection.take().is_some() {
            self.settings.state.is_down(why);
            self.lost.notify_one();
        }
        Unavailable
    }

    /// Connects, and connects anew whenever the connection is lost.
    pub(super) async fn keep_connected(&self, metrics: &CoreMetrics) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            match timeout(CONNECT, self.connect()).await {
                Ok(Ok(connection)) => {
                    metrics.store_connections.add(1);
                    self.use_until_lost(connection).await;
                    metrics.store_connections.subtract(1);
                }
                Ok(Err(error)) => self.settings.state.is_down(&error),
                Err(_) => self.settings.state.is_down(&format_args!("no connection within {CONNECT:?}")),
            }
            if began.elapsed() > LASTING {
                pause = FIRST_PAUSE;
            }
            // All cores of all replicas lost it at the same moment: they must not come back as one.
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Lets requests use a connection, and looks after it: one that nobody uses may break as well.
    async fn use_until_lost(&self, mut connection: MultiplexedConnection) {
        let number = self.number.get() + 1;
        self.number.set(number);
        self.connection.replace(Some(connection.clone()));
        self.settings.state.is_up();
        while timeout(LOOK, self.lost.notified()).await.is_err() {
            match timeout(LOOK, redis::cmd("PING").exec_async(&mut connection)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => drop(self.lose(number, &error)),
                Err(_) => drop(self.lose(number, &format_args!("no answer within {LOOK:?}"))),
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut connection = self.settings.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.take.load(&mut connection).await?;
        Ok(connection)
    }
}
