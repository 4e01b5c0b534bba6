//! The path that is passed on to a backend, once a rule has taken the request.

use std::borrow::Cow;

/// The path to pass on; `None` where it is the one that came.
///
/// `raw` is the path as it came, `normal` its canonical form where that differs, `cut` how many
/// bytes of the canonical form belong to a prefix that is cut (0 for none), and `as_it_came`
/// whether the path keeps its spelling.
#[must_use]
pub fn forwarded<'a>(raw: &'a str, normal: Option<&'a str>, cut: usize, as_it_came: bool) -> Option<Cow<'a, str>> {
    let rest = match normal {
        Some(normal) if !as_it_came => normal.get(cut..).unwrap_or_default(),
        _ if cut == 0 => return None,
        Some(normal) => past_segments(raw, segments(normal.get(..cut).unwrap_or_default())),
        None => raw.get(cut..).unwrap_or_default(),
    };
    Some(if rest.starts_with('/') { Cow::Borrowed(rest) } else { Cow::Owned(format!("/{rest}")) })
}

/// How many segments a prefix has.
fn segments(prefix: &str) -> usize {
    prefix.split('/').filter(|segment| !segment.is_empty()).count()
}

/// What is left of a path as it came past so many segments. Normalising changes the length of a
/// segment but never their number, so they are what a prefix is measured by.
fn past_segments(path: &str, count: usize) -> &str {
    (0..count).fold(path, |left, _| {
        let left = left.trim_start_matches('/');
        left.find('/').map_or("", |end| &left[end..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::normalise;

    fn forward<'a>(raw: &'a str, prefix: &str, as_it_came: bool) -> Cow<'a, str> {
        match normalise(raw).path {
            Cow::Borrowed(_) => forwarded(raw, None, prefix.len(), as_it_came).unwrap_or(Cow::Borrowed(raw)),
            Cow::Owned(normal) => {
                let found = forwarded(raw, Some(&normal), prefix.len(), as_it_came);
                found.map_or(Cow::Borrowed(raw), |path| Cow::Owned(path.into_owned()))
            }
        }
    }

    #[test]
    fn the_normal_form_is_passed_on_past_the_prefix() {
        for (raw, prefix, path) in [
            ("/a/b", "", "/a/b"),
            ("/%61//b", "", "/a/b"),
            ("/a/b", "/a", "/b"),
            ("/a", "/a", "/"),
            ("//%61//b", "/a", "/b"),
        ] {
            assert_eq!(forward(raw, prefix, false), path, "{raw} past `{prefix}`");
        }
        assert_eq!(forwarded("/a/b", None, 0, false), None);
    }

    #[test]
    fn a_raw_path_keeps_its_spelling_past_the_segments_of_the_prefix() {
        for (raw, prefix, path) in [
            ("/%61//b", "", "/%61//b"),
            ("*", "", "*"),
            ("/a~b/x", "/a~b", "/x"),
            ("/a%7Eb/x", "/a~b", "/x"),
            ("/%61~%62//x%2fy/../z", "/a~b", "//x%2fy/../z"),
            ("//a%7eb", "/a~b", "/"),
        ] {
            assert_eq!(forward(raw, prefix, true), path, "{raw} past `{prefix}`");
        }
    }
}
