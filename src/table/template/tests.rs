use super::{TemplateProblem as P, *};
use proptest::prelude::*;

fn captured(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let template = Template::parse(template).unwrap();
    let captures = template.captures(path)?;
    Some(captures.iter().map(|(field, value)| (field.to_owned(), value.to_owned())).collect())
}

fn check(template: &str, path: &str, expected: Option<&[(&str, &str)]>) {
    let found = captured(template, path);
    let expected = expected.map(|pairs| pairs.iter().map(|(f, v)| ((*f).to_owned(), (*v).to_owned())).collect());
    assert_eq!(found, expected, "{template} on {path}");
}

#[test]
fn variable_takes_one_segment() {
    check("/pair/{key}", "/pair/abc", Some(&[("key", "abc")]));
    check("/pair/{key}", "/pair/a/b", None);
    check("/pair/{key}", "/pair/", None);
    check("/pair/{key}", "/pair", None);
    check("/pair/{key}", "/pair/abc/", None);
    check("/pair/{a.b}/{c}", "/pair/x/y%2Fz", Some(&[("a.b", "x"), ("c", "y%2Fz")]));
}

#[test]
fn variable_of_several_segments_joins_them() {
    check("/deep/{key=a/**}", "/deep/a/b/c", Some(&[("key", "a/b/c")]));
    check("/deep/{key=a/**}", "/deep/a", Some(&[("key", "a")]));
    check("/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2", Some(&[("name", "shelves/1/books/2")]));
    check("/v1/{name=shelves/*}", "/v1/shelves/", None);
}

#[test]
fn double_star_takes_any_number_and_may_be_followed() {
    check("/files/{path=**}", "/files/a/b", Some(&[("path", "a/b")]));
    check("/files/{path=**}", "/files/", Some(&[("path", "")]));
    check("/files/{path=**}", "/files", Some(&[("path", "")]));
    check("/files/{path=**}", "/filesystem", None);
    check("/files/{path=**}/raw/{n}", "/files/a/b/raw/3", Some(&[("path", "a/b"), ("n", "3")]));
    check("/files/{path=**}/raw", "/files/raw", Some(&[("path", "")]));
    check("/files/{path=**}/raw", "/files/a", None);
    check("/files/{path=x/**}/raw", "/files/x/raw", Some(&[("path", "x")]));
    check("/{path=**/raw}", "/raw", Some(&[("path", "raw")]));
    check("/**/a/*", "/a", None);
    check("/{all=**}", "/", Some(&[("all", "")]));
}

#[test]
fn verb_ends_the_path() {
    check("/v1/{name=a/*}:cancel", "/v1/a/b:cancel", Some(&[("name", "a/b")]));
    check("/v1/{name=a/*}:cancel", "/v1/a/b", None);
    check("/v1/{name=a/*}:cancel", "/v1/a/:cancel", None);
    check("/v1/{name}", "/v1/b:cancel", Some(&[("name", "b:cancel")]));
    check("/v1/a:b:c", "/v1/a:b:c", Some(&[]));
    check("/v1/{rest=**}:do", "/v1/:do", Some(&[("rest", "")]));
    check("/v1/{rest=**}:do", "/v1:do", Some(&[("rest", "")]));
}

#[test]
fn slash_at_the_end_counts() {
    check("/", "/", Some(&[]));
    check("/a/{x}/", "/a/1/", Some(&[("x", "1")]));
    check("/a/{x}/", "/a/1", None);
}

#[test]
fn literals_are_canonical() {
    check("/文/%7e/a%2fb", "/%E6%96%87/~/a%2Fb", Some(&[]));
}

#[test]
fn error_says_where_and_how_to_mend() {
    for (text, at, problem) in [
        ("", 0, P::NotRooted),
        ("users", 0, P::NotRooted),
        ("/a//b", 3, P::EmptySegment),
        ("/a/b*", 4, P::PartialStar),
        ("/***", 1, P::PartialStar),
        ("/**/x/**", 6, P::SecondRest),
        ("/**/{x=**}", 7, P::SecondRest),
        ("/a{b}", 2, P::PartialVariable),
        ("/{b}c", 4, P::PartialVariable),
        ("/{b}{c}", 4, P::PartialVariable),
        ("/{a={b}}", 4, P::NestedVariable),
        ("/{a{b}}", 3, P::NestedVariable),
        ("/{a", 1, P::Unclosed),
        ("/{a/b}", 1, P::Unclosed),
        ("/{a=", 1, P::Unclosed),
        ("/{a=b/c", 1, P::Unclosed),
        ("/{a=}", 4, P::EmptySegment),
        ("/{a=b/}", 6, P::EmptySegment),
        ("/a}", 2, P::StrayBrace),
        ("/{}", 2, P::BadField),
        ("/{a..b}", 2, P::BadField),
        ("/{1a}", 2, P::BadField),
        ("/{a-b}", 2, P::BadField),
        ("/{a}/{a}", 6, P::DuplicateField),
        ("/a:", 2, P::EmptyVerb),
        ("/a:b*", 4, P::PartialStar),
        ("/a?b", 2, P::NotAPath),
        ("/a/../b", 3, P::Ambiguous(Ambiguity::DotSegment)),
        ("/a/%zz", 3, P::Ambiguous(Ambiguity::InvalidPercent)),
    ] {
        assert_eq!(Template::parse(text), Err(TemplateError { at, problem }), "{text}");
    }
    let error = Template::parse("/a{b}").unwrap_err().to_string();
    assert_eq!(error, "template, at byte 2: a variable must be a whole segment: write /{name}/ between slashes");
}

#[test]
fn captures_and_segments_are_limited() {
    let many = |count: usize| (0..count).map(|n| format!("/{{f{n}}}")).collect::<String>();
    assert!(Template::parse(&many(MAX_CAPTURES)).is_ok());
    assert_eq!(Template::parse(&many(MAX_CAPTURES + 1)).unwrap_err().problem, P::TooManyCaptures);
    assert!(Template::parse(&"/a".repeat(MAX_SEGMENTS)).is_ok());
    assert_eq!(Template::parse(&"/a".repeat(MAX_SEGMENTS + 1)).unwrap_err().problem, P::TooManySegments);
}

proptest! {
    #[test]
    fn no_input_panics(text in "[/a*{}=.:%2F;é]{0,24}", path in "[/a:.%2]{0,16}") {
        if let Ok(template) = Template::parse(&text) && let Some(captures) = template.captures(&path) {
            prop_assert_eq!(captures.iter().count(), template.fields().count());
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused_within_it(text in any::<String>()) {
        let text = format!("/{text}");
        if let Err(error) = Template::parse(&text) {
            prop_assert!(error.at <= text.len());
        }
    }
}
