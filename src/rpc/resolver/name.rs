//! Names of services and methods, made of the segments of a path.

/// The segments of a decoded path, without empty ones and without dot segments.
pub(super) fn clean(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments
}

/// `v` and digits: `v1`.
pub(super) fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Letters and digits, joined by single hyphens.
pub(super) fn is_alias(segment: &str) -> bool {
    segment.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The segments that name the service of a call: all but the last two, and the first at least.
pub(super) fn service_of<'a, 'b>(segments: &'a [&'b str]) -> &'a [&'b str] {
    match segments {
        [version, _, _] if is_version(version) => &segments[..2],
        [_, _, _, ..] => &segments[..segments.len() - 2],
        _ => &segments[..segments.len().min(1)],
    }
}

/// The method of a call: the last two segments in camel case, and `Foo.Call` where there is one segment.
pub(super) fn method_of(segments: &[&str]) -> Option<String> {
    match segments {
        [] => None,
        [only] => Some(format!("{}.Call", camel(only))),
        [.., receiver, method] => Some(format!("{}.{}", camel(receiver), camel(method))),
    }
}

/// `baz-xyz` is `BazXyz`. A letter after any sign but an underscore is upper case too; other letters stay.
fn camel(segment: &str) -> String {
    let mut starts = true;
    let mut name = String::with_capacity(segment.len());
    for character in segment.chars() {
        if starts {
            name.extend(character.to_uppercase());
        } else {
            name.push(character);
        }
        starts = separates(character);
        if character == '-' {
            name.pop();
        }
    }
    name
}

fn separates(character: char) -> bool {
    if character.is_ascii() {
        !character.is_ascii_alphanumeric() && character != '_'
    } else {
        character.is_whitespace()
    }
}

/// A host without its port. An address of IPv6 keeps its brackets.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !ends_within_brackets(name) => name,
        _ => host,
    }
}

/// Whether the colon that was cut at is one of the address.
fn ends_within_brackets(name: &str) -> bool {
    name.starts_with('[') && !name.ends_with(']')
}

/// The name in its namespace.
pub(super) fn join(namespace: &str, name: &str) -> String {
    match namespace.as_bytes().last() {
        None => name.to_owned(),
        Some(b'-') => format!("{namespace}{name}").replace('.', "-"),
        Some(b'.') => format!("{namespace}{name}"),
        Some(_) => format!("{namespace}.{name}"),
    }
}
