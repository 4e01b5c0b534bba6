//! Addresses and ports that nobody else in the network namespace has.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// The address of the API server; 10.244.0.0/24 is kept for it.
pub(crate) const API_SERVER: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);

/// A pod address that no other test of this run uses.
pub(crate) fn pod_address() -> Ipv4Addr {
    let [high, low] = next_pod().to_be_bytes();
    Ipv4Addr::new(10, 244, high, low)
}

/// An IPv6 pod address that no other test of this run uses.
pub(crate) fn pod_address_v6() -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0x244, 0, 0, 0, 0, 0, next_pod())
}

fn next_pod() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(256);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A free port on `address` below the range from which the kernel takes ports for clients: a
/// server that is killed and started again must find its port as it left it.
pub(crate) fn server_port(address: IpAddr) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_000, "no free port below 32000 on {address}");
        if TcpListener::bind((address, port)).is_ok() {
            return port;
        }
    }
}
