//! Host names as users write them, to patterns.

use crate::table::HostPattern;

/// How many labels the star of a host name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Star {
    /// One or more, as in GatewayRoute and Gateway API.
    Labels,
    /// Exactly one, as in Ingress.
    OneLabel,
}

const LONGEST: usize = 253;

/// The pattern of a host name, or what is wrong with the name.
pub(super) fn parse(host: &str, star: Star) -> Result<HostPattern, String> {
    let lower = host.to_ascii_lowercase();
    let (wild, name) = match lower.strip_prefix("*.") {
        Some(suffix) => (true, suffix),
        None => (false, lower.as_str()),
    };
    if lower.len() > LONGEST || !name.split('.').all(is_label) {
        return Err(format!(
            "`{host}` is not a host name: write one of at most {LONGEST} characters without port, such as api.example.com or *.example.com"
        ));
    }
    Ok(match (wild, star) {
        (false, _) => HostPattern::Exact(name.into()),
        (true, Star::Labels) => HostPattern::Wildcard(name.into()),
        (true, Star::OneLabel) => HostPattern::WildcardLabel(name.into()),
    })
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_the_whole_first_label() {
        assert_eq!(parse("*.Example.com", Star::Labels), Ok(HostPattern::Wildcard("example.com".into())));
        assert_eq!(parse("*.example.com", Star::OneLabel), Ok(HostPattern::WildcardLabel("example.com".into())));
        for bad in ["*", "a.*.com", "*a.com", "**.com", "*.", "*.-a.com"] {
            assert!(parse(bad, Star::Labels).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_have_no_port_and_no_odd_characters() {
        assert_eq!(parse("API.example.com", Star::Labels), Ok(HostPattern::Exact("api.example.com".into())));
        for bad in ["", "a.com:80", "a..b", "a_b.com", "-a.com", "a.com/", "[::1]", "ä.com"] {
            let error = parse(bad, Star::Labels).unwrap_err();
            assert!(error.contains("such as api.example.com"), "{error}");
        }
        assert!(parse(&format!("{}.com", "a".repeat(64)), Star::Labels).is_err());
    }
}
