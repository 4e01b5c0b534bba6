//! Durations as users write them: Gateway API's form, such as `300ms`, `10s` or `1m30s`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

/// The pattern of Gateway API's duration format (GEP-2257): at most four numbers of at most five
/// digits, each with a unit `h`, `m`, `s` or `ms`.
pub const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// A length of time in Gateway API's form. `0s` turns the limit that it sets off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GatewayDuration(pub Duration);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write up to four numbers with units h, m, s or ms, such as 300ms or 1m30s")]
pub struct NotADuration(String);

impl FromStr for GatewayDuration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self).ok_or_else(|| NotADuration(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 5 {
            return None;
        }
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let (unit, after) = split_unit(rest.get(digits..)?)?;
        total += Duration::from_millis(number * unit);
        rest = after;
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

/// The milliseconds of the unit that a text starts with, and the rest of the text.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    UNITS.iter().find_map(|(unit, millis)| Some((*millis, text.strip_prefix(unit)?)))
}

impl fmt::Display for GatewayDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match (seconds, millis) {
            (0, 0) => f.write_str("0s"),
            (0, ms) => write!(f, "{ms}ms"),
            (s, 0) => write!(f, "{s}s"),
            (s, ms) => write!(f, "{s}s{ms}ms"),
        }
    }
}

impl Serialize for GatewayDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GatewayDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for GatewayDuration {
    fn schema_name() -> Cow<'static, str> {
        "GatewayDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN, "maxLength": 32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_gateway_api_allows() {
        for (text, millis) in
            [("0s", 0), ("300ms", 300), ("1m30s", 90_000), ("2h", 7_200_000), ("1h1m1s1ms", 3_661_001)]
        {
            let read: GatewayDuration = text.parse().unwrap();
            assert_eq!(read.0, Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_how_to_write_it() {
        for text in ["", "1", "s", "1.5s", "-1s", "1d", "123456s", "1s1s1s1s1s", "1s "] {
            let error = text.parse::<GatewayDuration>().unwrap_err().to_string();
            assert!(error.contains("such as 300ms"), "{text}: {error}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["0s", "300ms", "90s", "1s500ms"] {
            assert_eq!(text.parse::<GatewayDuration>().unwrap().to_string(), text);
        }
    }
}
