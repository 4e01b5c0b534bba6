//! How many connections each client has, where that is limited.

use crate::settings::TrustedProxies;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Clients that are remembered before those without a connection are forgotten.
const LEAST_SWEPT: usize = 1024;

/// The connections of each client, counted by the thread that accepts.
#[derive(Debug)]
pub(crate) struct Clients {
    /// `None` for no limit.
    most: Option<usize>,
    /// They speak for many clients.
    trusted: Arc<TrustedProxies>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    by_client: HashMap<IpAddr, Arc<AtomicUsize>>,
    sweep_at: usize,
}

/// A connection's place among those of its client; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

/// The client has as many connections as it may.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Clients {
    pub(crate) fn new(most: Option<usize>, trusted: Arc<TrustedProxies>) -> Self {
        Self { most, trusted, open: Mutex::default() }
    }

    /// Whether it speaks for others.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.contains(address)
    }

    /// Takes a place; none is needed where nothing is limited.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<Option<Place>, TooMany> {
        let Some(most) = self.most.filter(|_| !self.trusts(address)) else { return Ok(None) };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.sweep();
        let count = open.by_client.entry(client(address)).or_default();
        if count.load(Ordering::Relaxed) >= most {
            return Err(TooMany);
        }
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Place(Arc::clone(count))))
    }
}

impl Open {
    /// So there are never more than twice as many as have connections, and a few.
    fn sweep(&mut self) {
        if self.by_client.len() >= self.sweep_at.max(LEAST_SWEPT) {
            self.by_client.retain(|_, count| count.load(Ordering::Relaxed) > 0);
            self.sweep_at = self.by_client.len() * 2;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who counts as one client: an address, or a network of IPv6 that is given to one customer (/64).
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(most: Option<usize>) -> Clients {
        Clients::new(most, Arc::new(TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()])))
    }

    fn admit(clients: &Clients, address: &str) -> Result<Option<Place>, TooMany> {
        clients.admit(address.parse().unwrap())
    }

    #[test]
    fn a_client_has_as_many_connections_as_it_may() {
        let clients = clients(Some(2));
        let held = [admit(&clients, "192.0.2.1").unwrap(), admit(&clients, "::ffff:192.0.2.1").unwrap()];
        assert!(admit(&clients, "192.0.2.1").is_err());
        assert!(admit(&clients, "192.0.2.2").is_ok());
        drop(held);
        assert!(admit(&clients, "192.0.2.1").is_ok());
    }

    #[test]
    fn a_network_of_one_customer_is_one_client() {
        let clients = clients(Some(1));
        let _held = admit(&clients, "2001:db8::1").unwrap();
        assert!(admit(&clients, "2001:db8::2").is_err());
        assert!(admit(&clients, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn trusted_proxies_and_everybody_without_a_limit_need_no_place() {
        assert!(admit(&clients(Some(1)), "10.1.2.3").unwrap().is_none());
        assert!(admit(&clients(None), "192.0.2.1").unwrap().is_none());
    }

    #[test]
    fn clients_without_connections_are_forgotten() {
        let clients = clients(Some(1));
        let held = admit(&clients, "192.0.2.1").unwrap();
        for number in 0..10_000_u32 {
            drop(clients.admit(IpAddr::V4(number.into())).unwrap());
        }
        assert!(clients.open.lock().unwrap().by_client.len() <= LEAST_SWEPT);
        assert!(admit(&clients, "192.0.2.1").is_err());
        drop(held);
    }
}
