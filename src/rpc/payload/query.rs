//! Fields of queries and forms: what their names nest, and what their values are.

use super::{
    PayloadError,
    tree::{Step, Tree},
};

/// The most fields of a query or form.
pub const MAX_FIELDS: usize = 256;

/// How deep the name of a field may nest.
pub const MAX_NESTING: usize = 16;

/// Reads a query. `a[b]=1` and `a.b=1` nest, `a[]=1` adds to a list, and of a field that is repeated the last counts. A
/// value is JSON where it reads as such, and else a text; without an equals sign it is empty.
pub(super) fn read(query: &[u8]) -> Result<Tree<'static>, PayloadError> {
    let mut fields = Tree::object();
    for (index, (name, value)) in form_urlencoded::parse(query).enumerate() {
        if index == MAX_FIELDS {
            return Err(PayloadError::TooMany);
        }
        let steps = steps(&name)?;
        fields.put(steps.into_iter(), Tree::guess(&value)?);
    }
    Ok(fields)
}

/// Reads a form: names as they are, values as texts, and several of one name joined by commas.
pub(super) fn read_form(body: &[u8]) -> Result<Tree<'static>, PayloadError> {
    let mut values: Vec<(String, String)> = Vec::new();
    for (index, (name, value)) in form_urlencoded::parse(body).enumerate() {
        if index == MAX_FIELDS {
            return Err(PayloadError::TooMany);
        }
        match values.iter_mut().find(|(known, _)| *known == *name) {
            Some((_, joined)) => joined.extend([",", &*value]),
            None => values.push((name.into_owned(), value.into_owned())),
        }
    }
    let mut fields = Tree::object();
    for (name, value) in values {
        fields.put(std::iter::once(Step::Field(&name)), Tree::text(&value)?);
    }
    Ok(fields)
}

/// The steps in `a[b][]` and `a.b`. A name that does not read so is one step as it is.
fn steps(name: &str) -> Result<Vec<Step<'_>>, PayloadError> {
    let (head, brackets) = name.split_at(name.find('[').unwrap_or(name.len()));
    let inner = brackets.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let is_nested = head.split('.').all(|part| !part.is_empty()) && (brackets.is_empty() || inner.is_some());
    if !is_nested {
        return Ok(vec![Step::Field(name)]);
    }
    let in_brackets = inner.into_iter().flat_map(|inner| inner.split("]["));
    let in_brackets = in_brackets.map(|part| if part.is_empty() { Step::Push } else { Step::Field(part) });
    let steps: Vec<Step<'_>> = head.split('.').map(Step::Field).chain(in_brackets).collect();
    if steps.len() > MAX_NESTING { Err(PayloadError::TooDeep) } else { Ok(steps) }
}
