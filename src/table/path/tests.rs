use super::*;
use proptest::prelude::*;

fn check(raw: &str, path: &str, ambiguity: Option<Ambiguity>) {
    let found = normalise(raw);
    assert_eq!((found.path.as_ref(), found.ambiguity), (path, ambiguity), "for {raw}");
}

#[test]
fn clean_path_is_borrowed() {
    for raw in ["/", "/a", "/a/b/", "/a.b/.well-known/...", "/%E4%BD%A0", "/a%20b", "/@me:x(1),*!$&'+=~_-", "/%252F"] {
        let found = normalise(raw);
        assert!(matches!(found.path, Cow::Borrowed(path) if path == raw), "{raw} was copied");
        assert_eq!(found.ambiguity, None, "{raw}");
    }
}

#[test]
fn different_spellings_of_one_path_become_the_same() {
    for (raw, path) in [
        ("/%61%2D%7e", "/a-~"),
        ("/%e4%bd%a0", "/%E4%BD%A0"),
        ("/你", "/%E4%BD%A0"),
        ("/a%3ab", "/a%3Ab"),
        ("//a///b//", "/a/b/"),
        ("///", "/"),
        ("/a b\"<>^`{|}?#", "/a%20b%22%3C%3E%5E%60%7B%7C%7D%3F%23"),
        ("/%7b", "/%7B"),
        ("/a%2Eb", "/a.b"),
        ("/%252f", "/%252f"),
        ("/%25%32%46", "/%252F"),
    ] {
        check(raw, path, None);
    }
}

#[test]
fn what_readers_disagree_about_is_named() {
    use Ambiguity as A;
    for (raw, path, ambiguity) in [
        ("/a%2fb", "/a%2Fb", A::EncodedSlash),
        ("/a;x=1/b", "/a;x=1/b", A::PathParameter),
        ("/a%3bx", "/a%3Bx", A::PathParameter),
        ("/a/../b", "/a/../b", A::DotSegment),
        ("/a/.", "/a/.", A::DotSegment),
        ("/./a", "/./a", A::DotSegment),
        ("/%2e%2E/b", "/../b", A::DotSegment),
        ("/a/.%2e", "/a/..", A::DotSegment),
        ("/a\\b", "/a%5Cb", A::Backslash),
        ("/a%5cb", "/a%5Cb", A::Backslash),
        ("/a%00", "/a%00", A::Control),
        ("/a%0d%0aX", "/a%0D%0AX", A::Control),
        ("/a\u{1}", "/a%01", A::Control),
        ("/a%7F", "/a%7F", A::Control),
        ("/a%", "/a%25", A::InvalidPercent),
        ("/a%2", "/a%252", A::InvalidPercent),
        ("/a%zz", "/a%25zz", A::InvalidPercent),
        ("/%%32f", "/%252f", A::InvalidPercent),
        ("/%c0%ae%C0%AE/", "/%C0%AE%C0%AE/", A::InvalidUtf8),
        ("/%c0%af", "/%C0%AF", A::InvalidUtf8),
        ("/%ff", "/%FF", A::InvalidUtf8),
        ("/%e4%bd/a", "/%E4%BD/a", A::InvalidUtf8),
        ("/%e4%bd你", "/%E4%BD%E4%BD%A0", A::InvalidUtf8),
        ("/%ed%a0%80", "/%ED%A0%80", A::InvalidUtf8),
        ("", "", A::NotRooted),
        ("a/b", "a/b", A::NotRooted),
        ("*", "*", A::NotRooted),
        ("%2Fa", "%2Fa", A::NotRooted),
    ] {
        check(raw, path, Some(ambiguity));
    }
}

#[test]
fn dot_segment_beside_an_encoded_border_is_more_than_an_encoded_slash() {
    for raw in ["/a/..%2Fb", "/a%2F..", "/a%2f%2e%2e/b", "/a%2F.%2Fb"] {
        assert_eq!(normalise(raw).ambiguity, Some(Ambiguity::DotSegment), "{raw}");
    }
    for raw in ["/a/..\\b", "/a%5C.."] {
        assert!(normalise(raw).ambiguity >= Some(Ambiguity::DotSegment), "{raw}");
    }
    assert_eq!(normalise("/a..%2Fb").ambiguity, Some(Ambiguity::EncodedSlash));
}

#[test]
fn encoded_slash_is_the_least_ambiguity() {
    assert!(Ambiguity::EncodedSlash < Ambiguity::PathParameter);
    assert_eq!(normalise("/a%2Fb;c").ambiguity, Some(Ambiguity::PathParameter));
}

#[test]
fn every_ambiguity_is_a_sentence_and_a_clause() {
    use Ambiguity as A;
    for ambiguity in [
        A::EncodedSlash,
        A::PathParameter,
        A::DotSegment,
        A::Backslash,
        A::Control,
        A::InvalidPercent,
        A::InvalidUtf8,
        A::NotRooted,
    ] {
        let (sentence, clause) = (ambiguity.as_str(), ambiguity.to_string());
        assert!(clause.starts_with("the path "), "{clause}");
        assert_eq!(sentence, format!("T{}.", &clause[1..]));
    }
}

#[test]
fn pattern_has_the_form_of_a_request_for_it() {
    assert_eq!(canonical_pattern("/文档/{x}"), normalise("/%e6%96%87%E6%A1%A3/%7bx%7D").path);
}

/// Pieces that matter, so that random paths meet every branch.
fn raw_path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/"),
        Just("."),
        Just("%2e"),
        Just("%2F"),
        Just("%5c"),
        Just("\\"),
        Just("%"),
        Just("%2"),
        Just("2f"),
        Just("%C3"),
        Just("%a9"),
        Just("é"),
        Just(";"),
        Just("%3b"),
        Just("%00"),
        Just("a"),
        Just("%41"),
        Just("%25"),
        Just("{"),
        Just("\u{7f}"),
        Just("%e4%bd%a0")
    ];
    prop_oneof![proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()), any::<String>()]
}

/// Decodes every octet, as the most eager reader would.
fn decoded(path: &str) -> Vec<u8> {
    let (bytes, mut at, mut out) = (path.as_bytes(), 0, Vec::new());
    while at < bytes.len() {
        let octet = encoded_octet(bytes, at);
        out.push(octet.unwrap_or(bytes[at]));
        at += if octet.is_some() { 3 } else { 1 };
    }
    out
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(raw in raw_path()) {
        let once = normalise(&raw);
        let twice = normalise(&once.path);
        prop_assert_eq!(&twice.path, &once.path);
        prop_assert!(matches!(twice.path, Cow::Borrowed(_)));
        prop_assert!(once.path.is_ascii());
        // What was clean stays clean, and only a repaired % is no longer told.
        if once.ambiguity != Some(Ambiguity::InvalidPercent) {
            prop_assert!(twice.ambiguity == once.ambiguity || once.path.contains("%25"));
        }
        if once.ambiguity.is_none() {
            prop_assert_eq!(twice.ambiguity, None);
        }
    }

    #[test]
    fn a_clean_path_decodes_to_no_surprise(raw in raw_path()) {
        let found = normalise(&raw);
        if found.ambiguity.is_none() {
            let text = String::from_utf8(decoded(&found.path)).expect("a clean path must be UTF-8");
            prop_assert!(text.starts_with('/') && !text.contains(['\\', ';', '\0']) && !text.contains("//"));
            prop_assert!(!text.split('/').any(|segment| segment == "." || segment == ".."));
            prop_assert_eq!(text.matches('/').count(), found.path.matches('/').count());
        }
    }
}
