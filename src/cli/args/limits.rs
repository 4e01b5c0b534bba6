//! Flags for limits on requests and connections.

use crate::settings::Limits;
use clap::Args;
use ipnet::IpNet;
use std::{num::IntErrorKind, time::Duration};

/// Limits on requests and connections.
#[derive(Clone, Debug, Args)]
pub struct LimitArgs {
    /// Most connections from clients at one time.
    #[arg(long, env = "PAIFANG_MAX_CONNECTIONS", value_name = "N", default_value_t = 20_000, value_parser = in_range(1, 1_000_000))]
    pub max_connections: usize,
    /// Most connections of one client at one time; 0 for no limit. An IPv6 network of 64 bits is one
    /// client. Trusted proxies have no limit.
    #[arg(long, env = "PAIFANG_MAX_CONNECTIONS_PER_CLIENT", value_name = "N", default_value_t = 0, value_parser = in_range(0, 1_000_000))]
    pub max_connections_per_client: usize,
    /// Most requests under way at one time (503); each core has its part.
    #[arg(long, env = "PAIFANG_MAX_REQUESTS", value_name = "N", default_value_t = 20_000, value_parser = in_range(1, 1_000_000))]
    pub max_requests: usize,
    /// Most bytes of the header fields of a request (431).
    #[arg(long, env = "PAIFANG_MAX_HEADER_BYTES", value_name = "BYTES", default_value_t = 16_384, value_parser = in_range(1024, 65_536))]
    pub max_header_bytes: usize,
    /// Most header fields of a request (431).
    #[arg(long, env = "PAIFANG_MAX_HEADERS", value_name = "N", default_value_t = 100, value_parser = in_range(8, 100))]
    pub max_headers: usize,
    /// Most bytes of a request target (414).
    #[arg(long, env = "PAIFANG_MAX_URI_BYTES", value_name = "BYTES", default_value_t = 8192, value_parser = in_range(256, 32_768))]
    pub max_uri_bytes: usize,
    /// Most bytes of a request body (413); 0 for no limit.
    #[arg(long, env = "PAIFANG_MAX_BODY_BYTES", value_name = "BYTES", default_value_t = 0)]
    pub max_body_bytes: u64,
    /// How long a TLS handshake may take.
    #[arg(long, env = "PAIFANG_TLS_HANDSHAKE_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = time)]
    pub tls_handshake_timeout: Duration,
    /// How long a request head may take, from its first byte.
    #[arg(long, env = "PAIFANG_HEAD_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = time)]
    pub head_timeout: Duration,
    /// How long a client may pause within a request body (408).
    #[arg(long, env = "PAIFANG_BODY_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = time)]
    pub body_timeout: Duration,
    /// Least bytes per second of a request body (408), once it was waited for for 10 seconds; 0 for no limit.
    #[arg(long, env = "PAIFANG_MIN_BODY_RATE", value_name = "BYTES", default_value_t = 240)]
    pub min_body_rate: u64,
    /// How long a connection may idle between requests.
    #[arg(long, env = "PAIFANG_IDLE_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = time)]
    pub idle_timeout: Duration,
    /// How long a client may take less than 1 KiB of what it is sent.
    #[arg(long, env = "PAIFANG_WRITE_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = time)]
    pub write_timeout: Duration,
    /// How long an endpoint may pause within its answer; 0s for no limit.
    #[arg(long, env = "PAIFANG_STREAM_IDLE_TIMEOUT", value_name = "DURATION", default_value = "5m", value_parser = time_or_none)]
    pub stream_idle_timeout: Duration,
    /// How long nothing may pass through a tunnel, such as a WebSocket; 0s for no limit.
    #[arg(long, env = "PAIFANG_TUNNEL_IDLE_TIMEOUT", value_name = "DURATION", default_value = "1h", value_parser = time_or_none)]
    pub tunnel_idle_timeout: Duration,
    /// Networks in which clients of /rpc may name the node to call, such as 10.0.0.0/8; a node elsewhere is refused
    /// (403). Default: none at all.
    #[arg(long, env = "PAIFANG_RPC_ADDRESSES", value_name = "CIDR,...", value_delimiter = ',', value_parser = super::network)]
    pub rpc_addresses: Vec<IpNet>,
}

impl LimitArgs {
    /// The limits, checked.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            uri_bytes: self.max_uri_bytes,
            header_bytes: self.max_header_bytes,
            headers: self.max_headers,
            body_bytes: (self.max_body_bytes > 0).then_some(self.max_body_bytes),
            connections: self.max_connections,
            requests: self.max_requests,
            connections_of_client: (self.max_connections_per_client > 0).then_some(self.max_connections_per_client),
            handshake_timeout: self.tls_handshake_timeout,
            head_timeout: self.head_timeout,
            body_timeout: self.body_timeout,
            body_rate: self.min_body_rate,
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
            stream_idle_timeout: some(self.stream_idle_timeout),
            tunnel_idle_timeout: some(self.tunnel_idle_timeout),
            rpc_addresses: self.rpc_addresses.clone().into(),
            ..Limits::default()
        }
    }
}

/// A limit in time: the clock of the data plane has ticks of 100 ms.
fn time(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    let time = super::duration(text)?;
    if (LEAST..=MOST).contains(&time) {
        return Ok(time);
    }
    Err(format!("`{text}` is out of range: write a time from 100ms to 24h"))
}

/// As [`time`], or zero for no limit.
fn time_or_none(text: &str) -> Result<Duration, String> {
    match super::duration(text) {
        Ok(Duration::ZERO) => Ok(Duration::ZERO),
        _ => time(text).map_err(|error| error + ", or 0s for no limit"),
    }
}

fn some(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}

fn in_range(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        let wrong = match text.parse() {
            Ok(number) if (least..=most).contains(&number) => return Ok(number),
            Err(error) if !matches!(error.kind(), IntErrorKind::PosOverflow) => "no whole number",
            _ => "out of range",
        };
        Err(format!("`{text}` is {wrong}: write a number from {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn the_defaults_of_the_flags_are_the_defaults_of_the_limits() {
        let flags = Flags::try_parse_from(["test"]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(flags.limits.limits(), Limits::default());
    }

    #[test]
    fn a_limit_that_may_be_off_is_off_at_zero() {
        let parsed = Flags::try_parse_from(["test", "--stream-idle-timeout", "0s", "--tunnel-idle-timeout", "0s"]);
        let limits = parsed.unwrap_or_else(|error| panic!("{error}")).limits.limits();
        assert_eq!((limits.stream_idle_timeout, limits.tunnel_idle_timeout), (None, None));
        let refused = Flags::try_parse_from(["test", "--stream-idle-timeout", "1ms"]).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("to 24h, or 0s for no limit"), "{refused}");
    }

    #[test]
    fn a_time_out_of_range_is_refused_with_the_range() {
        for text in ["0s", "50ms", "25h"] {
            let refused = refused("--body-timeout", text);
            assert!(refused.contains("write a time from 100ms to 24h"), "{refused}");
        }
    }

    fn refused(flag: &str, value: &str) -> String {
        Flags::try_parse_from(["test", flag, value]).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_number_out_of_range_and_what_is_none_are_refused_with_the_range() {
        for (flag, value, told) in [
            ("--max-connections", "0", "`0` is out of range: write a number from 1 to 1000000"),
            ("--max-connections", "1000001", "`1000001` is out of range: write a number from 1 to 1000000"),
            ("--max-headers", "101", "`101` is out of range: write a number from 8 to 100"),
            ("--max-headers", "99999999999999999999", "is out of range: write a number from 8 to 100"),
            ("--max-headers", "abc", "`abc` is no whole number: write a number from 8 to 100"),
            ("--max-headers", "1.5", "`1.5` is no whole number: write a number from 8 to 100"),
        ] {
            let refused = refused(flag, value);
            assert!(refused.contains(told), "{refused}");
        }
    }
}
