//! The PROXY protocol (versions 1 and 2): a proxy says first whom it connects for. What follows, TLS or
//! HTTP, stays in the socket.

use crate::{
    metrics::Protection,
    proxy::{
        clock::{TimeIsUp, race},
        core::{Core, Registration},
        peer::{Arrival, Peer},
    },
};
use ppp::{v1, v2};
use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// The longest header of version 1, by its specification.
const MOST_TEXT: usize = 107;
/// The longest header of version 2 that is taken: 52 bytes of addresses, and what is told beside them.
const MOST_BINARY: usize = 4096;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
enum NoHeader {
    #[error("the connection ended before it")]
    Closed,
    #[error("what came is none")]
    Malformed,
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// Who is at the other end: by the socket, or by what the proxy there says. `None` where the connection
/// has to end. The time for it is set already.
pub(super) async fn identify(
    core: &Core,
    place: &Registration,
    stream: &mut TcpStream,
    arrival: &mut Arrival,
) -> Option<Peer> {
    let peer = |address| Peer::new(address, arrival.tls.is_some(), &core.settings.trusted);
    let Some(clients) = &arrival.proxied else { return Some(peer(arrival.address)) };
    let error = match race(&core.clock, place.alarm(), read(stream)).await {
        Ok(Ok(Some(client))) => {
            let peer = peer(client);
            let Ok(place) = clients.admit(client.ip()) else {
                core.metrics.protect(Protection::ClientConnections);
                return None;
            };
            arrival.place = place;
            return Some(peer);
        }
        // Whoever is relayed without a name must not pass for the proxy.
        Ok(Ok(None)) => return Some(peer(arrival.address).without_trust()),
        // So load balancers see whether somebody listens.
        Ok(Err(NoHeader::Closed)) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(TimeIsUp) => "it did not come in time".to_owned(),
    };
    core.metrics.protect(Protection::ProxyHeader);
    tracing::debug!(proxy = %arrival.address, error, "a proxy sent no header of the PROXY protocol");
    None
}

/// Reads the header and nothing after it: the client's address, if it has one.
async fn read(stream: &mut TcpStream) -> Result<Option<SocketAddr>, NoHeader> {
    let mut header = Vec::new();
    loop {
        let before = header.len();
        let mut ahead = [0; 256];
        let seen = stream.peek(&mut ahead).await?;
        if seen == 0 {
            return Err(if before == 0 { NoHeader::Closed } else { NoHeader::Malformed });
        }
        header.extend_from_slice(ahead.get(..seen).unwrap_or_default());
        let parsed = parse(&header)?;
        // What was looked at is still there to be taken out, up to the end of the header.
        let end = parsed.as_ref().map_or(header.len(), |found| found.end);
        header.truncate(end);
        stream.read_exact(header.get_mut(before..).unwrap_or_default()).await?;
        if let Some(found) = parsed {
            return Ok(found.client);
        }
    }
}

/// A whole header.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    end: usize,
    client: Option<SocketAddr>,
}

/// The header that these bytes begin with; `None` where more have to come.
fn parse(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    if bytes.first() == v1::PROTOCOL_PREFIX.as_bytes().first() { parse_line(bytes) } else { parse_binary(bytes) }
}

fn parse_line(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    let Some(last) = bytes.iter().position(|byte| *byte == b'\n') else {
        let prefix = v1::PROTOCOL_PREFIX.as_bytes();
        let fits = bytes.len() < MOST_TEXT && prefix.iter().zip(bytes).all(|(wanted, byte)| wanted == byte);
        return if fits { Ok(None) } else { Err(NoHeader::Malformed) };
    };
    let line = bytes.get(..=last).unwrap_or_default();
    let header = v1::Header::try_from(line).map_err(|_| NoHeader::Malformed)?;
    let client = match header.addresses {
        v1::Addresses::Tcp4(all) => Some((IpAddr::from(all.source_address), all.source_port).into()),
        v1::Addresses::Tcp6(all) => Some((IpAddr::from(all.source_address), all.source_port).into()),
        v1::Addresses::Unknown => None,
    };
    // A line that goes on after its end, as the library sees it, is none.
    if header.header.len() == line.len() {
        Ok(Some(Header { end: line.len(), client }))
    } else {
        Err(NoHeader::Malformed)
    }
}

fn parse_binary(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    let (end, client) = match v2::Header::try_from(bytes) {
        Ok(header) => (header.len(), Some(source(&header))),
        Err(v2::ParseError::Partial(_, length)) => (v2::PROTOCOL_PREFIX.len() + 4 + length, None),
        Err(v2::ParseError::Incomplete(_)) => return Ok(None),
        Err(_) => return Err(NoHeader::Malformed),
    };
    if end > MOST_BINARY {
        return Err(NoHeader::Malformed);
    }
    Ok(client.map(|client| Header { end, client }))
}

/// Who a proxy speaks for: itself where the command is LOCAL, and nobody that it could name where the
/// family is none of the internet, or no stream.
fn source(header: &v2::Header<'_>) -> Option<SocketAddr> {
    match header.addresses {
        _ if header.command == v2::Command::Local || header.protocol != v2::Protocol::Stream => None,
        v2::Addresses::IPv4(all) => Some((IpAddr::from(all.source_address), all.source_port).into()),
        v2::Addresses::IPv6(all) => Some((IpAddr::from(all.source_address), all.source_port).into()),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the header ends and who the client is; `Err` where it is none, `Ok(None)` where it is not whole.
    fn parsed(bytes: &[u8]) -> Result<Option<(usize, Option<String>)>, ()> {
        let found = parse(bytes).map_err(drop)?;
        Ok(found.map(|found| (found.end, found.client.map(|client| client.to_string()))))
    }

    fn binary(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length[..], payload].concat()
    }

    const IPV4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x10, 0x92, 0, 80];

    #[test]
    fn a_line_names_the_client_and_ends_the_header() {
        for (line, client) in [
            ("PROXY TCP4 192.0.2.7 10.0.0.1 4242 80\r\n", Some("192.0.2.7:4242")),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 4242 80\r\n", Some("[2001:db8::7]:4242")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN 192.0.2.7 10.0.0.1 4242 80\r\n", None),
        ] {
            let told = parsed(format!("{line}GET / HTTP/1.1\r\n\r\n").as_bytes());
            assert_eq!(told, Ok(Some((line.len(), client.map(str::to_owned)))), "{line:?}");
        }
    }

    #[test]
    fn a_binary_header_names_the_client_where_it_relays_a_stream() {
        let ipv6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 16], &IPV4[8..]].concat();
        let local = ([0x20, 0x11], &IPV4[..]);
        for (([command, family], payload), client) in [
            (([0x21, 0x11], &IPV4[..]), Some("192.0.2.7:4242")),
            (([0x21, 0x11], &[&IPV4[..], &[4, 0, 2, 0, 0]].concat()[..]), Some("192.0.2.7:4242")),
            (([0x21, 0x21], &ipv6[..]), Some("[2001:db8::7]:4242")),
            (local, None),
            (([0x20, 0], &[]), None),
            (([0x21, 0], &[]), None),
            (([0x21, 0x12], &IPV4[..]), None),
            (([0x21, 0x31], &[0; 216]), None),
        ] {
            let header = binary(command, family, payload);
            let told = parsed(&[&header[..], b"GET"].concat());
            assert_eq!(told, Ok(Some((header.len(), client.map(str::to_owned)))), "{command:x} {family:x}");
        }
    }

    #[test]
    fn every_beginning_of_a_header_waits_for_more() {
        let line = b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff::ffff 65535 65535\r\n";
        for header in [&line[..], b"PROXY UNKNOWN\r\n", &binary(0x21, 0x11, &IPV4)] {
            for end in 1..header.len() {
                assert_eq!(parsed(&header[..end]), Ok(None), "{:?}", String::from_utf8_lossy(&header[..end]));
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_once() {
        for bytes in [
            &b"G"[..],
            b"GET / HTTP/1.1\r\n",
            &[0x16, 3, 1],
            b"PROXY\r\n",
            b"PROXY TCP4\r\n",
            b"PROXY TCP4 192.0.2.7\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4242 65536\r\n",
            b"PROXY TCP4 2001:db8::7 2001:db8::1 4242 80\r\n",
            b"PROXY TCP4  192.0.2.7 10.0.0.1 4242 80\r\n",
            b"proxy tcp4 192.0.2.7 10.0.0.1 4242 80\r\n",
            b"PROXY UNKNOWN\n",
            &binary(0x11, 0x11, &IPV4),
            &binary(0x22, 0x11, &IPV4),
            &binary(0x21, 0x41, &IPV4),
            &binary(0x21, 0x21, &IPV4),
        ] {
            assert_eq!(parsed(bytes), Err(()), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_header_has_a_longest_length() {
        let unknown = |length: usize| format!("PROXY UNKNOWN {}", "x".repeat(length - 14));
        assert_eq!(parsed(unknown(106).as_bytes()), Ok(None));
        assert_eq!(parsed(unknown(107).as_bytes()), Err(()));
        assert!(matches!(parsed(format!("{}\r\n", unknown(105)).as_bytes()), Ok(Some((107, None)))));
        assert_eq!(parsed(format!("{}\r\n", unknown(106)).as_bytes()), Err(()));
        for (length, taken) in [(MOST_BINARY, true), (MOST_BINARY + 1, false)] {
            let header = binary(0x21, 0, &vec![0; length - 16]);
            assert_eq!(parsed(&header).is_ok(), taken, "{length} bytes");
            assert_eq!(parsed(&header[..16]).is_ok(), taken, "{length} bytes to come");
        }
    }
}
