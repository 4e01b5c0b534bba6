//! The look-up: from a request to the entry that takes it, without allocating.

use super::{
    build::Table,
    entry::{Entry, PathPattern},
    request::RequestView,
    template::Captures,
};
use http::Method;

#[cfg(test)]
mod tests;

/// The entry that takes a request.
#[derive(Debug)]
pub struct Match<'t, P> {
    /// What the entry leads to.
    pub payload: &'t P,
    /// The entry.
    pub entry: &'t Entry<P>,
    /// How many bytes of the path a prefix took; 0 for the other kinds of path.
    pub prefix_len: usize,
}

impl<'t, P> Match<'t, P> {
    fn of(entry: &'t Entry<P>) -> Self {
        Self { payload: &entry.payload, entry, prefix_len: entry.path.prefix_len() }
    }

    /// What the template's fields hold in `path`, the one that was looked up. They are computed
    /// when asked for, because few handlers ask.
    #[must_use]
    pub fn captures<'a>(&self, path: &'a str) -> Captures<'a>
    where
        't: 'a,
    {
        match &self.entry.path {
            PathPattern::Template(template) => template.captures(path).unwrap_or(Captures::none()),
            PathPattern::Exact(_) | PathPattern::Prefix(_) | PathPattern::Regex(_) => Captures::none(),
        }
    }
}

/// What a look-up came to.
#[derive(Debug)]
pub enum Outcome<'t, P> {
    /// An entry takes the request.
    Found(Match<'t, P>),
    /// Entries would take it with another method: these, sorted, HEAD where GET is. They are the
    /// value of an `Allow` header.
    MethodNotAllowed(Vec<Method>),
    /// No entry takes it.
    NotFound,
}

impl<P> Table<P> {
    /// The first entry in rank order that takes the request. A host's entries come before those of
    /// a less specific host, which take what no entry of the former takes.
    ///
    /// It allocates nothing when an entry is found; a regular expression may, the first time a
    /// thread uses it, and so may one on an encoded query parameter.
    #[must_use]
    pub fn find(&self, request: &RequestView<'_>) -> Outcome<'_, P> {
        let mut other_method = false;
        let found = self.visit(request.host, request.path, |entry| {
            if !entry.conditions.take_method(request.method) {
                other_method = true;
                return None;
            }
            entry.conditions.unmet(request).is_none().then_some(entry)
        });
        match found {
            Some(entry) => Outcome::Found(Match::of(entry)),
            None if other_method => self.other_methods(request),
            None => Outcome::NotFound,
        }
    }

    /// The methods of the entries for which nothing but the method is wrong.
    fn other_methods(&self, request: &RequestView<'_>) -> Outcome<'_, P> {
        let mut methods = Vec::new();
        self.visit(request.host, request.path, |entry| {
            if entry.conditions.unmet(request).is_none() {
                methods.extend_from_slice(&entry.conditions.methods);
            }
            None::<()>
        });
        if methods.is_empty() {
            return Outcome::NotFound;
        }
        if methods.contains(&Method::GET) {
            methods.push(Method::HEAD);
        }
        methods.sort_by(|left, right| left.as_str().cmp(right.as_str()));
        methods.dedup();
        Outcome::MethodNotAllowed(methods)
    }
}
