//! The paths that names stand for: `Users` of the service `Users` in `shop.v1` is `GET /v1/users`.
//!
//! For methods whose file says nothing of HTTP. The version is the last part of the package, the collection is the name of
//! the service, and the method says what is done with it. One user needs a field `id` in the message.

use http::Method;
use prost_reflect::MethodDescriptor;

/// The field that names one thing of a collection.
const ID: &str = "id";

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) method: Method,
    pub(super) path: String,
    /// Whether the body is the message.
    pub(super) has_body: bool,
}

/// The path that the name of a method stands for; `None` where it stands for none.
pub(super) fn of(method: &MethodDescriptor) -> Option<Named> {
    let service = method.parent_service();
    let version = service.package_name().rsplit('.').next().filter(|part| is_version(part))?;
    let collection = service.name();
    let one = collection.strip_suffix('s').filter(|one| !one.is_empty())?;
    let path = format!("/{version}/{}", dashed(collection));
    let (verb, of_one, has_body) = match method.name() {
        name if name == collection => (Method::GET, false, false),
        name if name == one => (Method::GET, true, false),
        name => match name.strip_suffix(one)? {
            "Create" => (Method::POST, false, true),
            "Update" => (Method::PUT, true, true),
            "Delete" => (Method::DELETE, true, false),
            _ => return None,
        },
    };
    if !of_one {
        return Some(Named { method: verb, path, has_body });
    }
    method.input().get_field_by_name(ID)?;
    Some(Named { method: verb, path: format!("{path}/{{{ID}}}"), has_body })
}

fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `LineItems` as it stands in a path: `line-items`.
fn dashed(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
