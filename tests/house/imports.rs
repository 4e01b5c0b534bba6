//! What a source imports from the crate: `use` trees and inline paths, written out.

use super::source::Source;

/// A path within the crate.
#[derive(Debug)]
pub(crate) struct Import {
    /// The path without `crate`, as far as it is written.
    pub(crate) path: Vec<String>,
    /// The line.
    pub(crate) line: usize,
}

/// The names that a source mentions, with their lines.
pub(crate) fn names(source: &Source) -> Vec<(String, usize)> {
    let words = tokens(&source.code).into_iter().filter(|token| token.text.starts_with(is_word));
    words.map(|token| (token.text, token.line)).collect()
}

/// Every path that starts with `crate` or `super`.
pub(crate) fn imports(source: &Source) -> Vec<Import> {
    let tokens = tokens(&source.code);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let is_path = tokens.get(at + 1).is_some_and(|next| next.text == "::");
        let continues = at > 0 && matches!(tokens[at - 1].text.as_str(), "::" | "in");
        let start = match tokens[at].text.as_str() {
            "crate" => Vec::new(),
            "super" => parent(&source.module),
            _ => continue,
        };
        if is_path && !continues {
            tree(&tokens, at + 2, start, &mut found);
        }
    }
    found
}

fn parent(module: &[String]) -> Vec<String> {
    module[..module.len().saturating_sub(1)].to_vec()
}

/// Reads a path, or a tree of them, and returns where it ends.
fn tree(tokens: &[Token], mut at: usize, mut path: Vec<String>, found: &mut Vec<Import>) -> usize {
    loop {
        let Some(token) = tokens.get(at) else { return at };
        match token.text.as_str() {
            "{" => return list(tokens, at + 1, &path, found),
            "super" => path = parent(&path),
            "self" | "*" => {}
            name if name.starts_with(is_word) => path.push(name.to_owned()),
            _ => return at,
        }
        at += 1;
        if tokens.get(at).is_none_or(|next| next.text != "::") {
            found.push(Import { path, line: token.line });
            return at;
        }
        at += 1;
    }
}

fn list(tokens: &[Token], mut at: usize, path: &[String], found: &mut Vec<Import>) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "}" => return at + 1,
            "," => at += 1,
            _ => {
                let end = tree(tokens, at, path.to_vec(), found);
                // A name after `as` belongs to the import before it.
                at = if tokens.get(end).is_some_and(|next| next.text == "as") { end + 2 } else { end.max(at + 1) };
            }
        }
    }
    at
}

#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            found.push(Token { text: rest[..length].to_owned(), line: index + 1 });
            rest = rest[length..].trim_start();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::source::strip;

    fn of(code: &str) -> Vec<String> {
        let module = ["proxy", "handler", "http"].map(str::to_owned).to_vec();
        let source = Source { file: String::new(), module, text: String::new(), code: strip(code) };
        imports(&source).into_iter().map(|import| import.path.join("::")).collect()
    }

    #[test]
    fn trees_and_inline_paths_are_written_out() {
        assert_eq!(of("use crate::{a::{self, b::C as D}, e};"), ["a", "a::b::C", "e"]);
        assert_eq!(of("use super::{Routed, web};"), ["proxy::handler::Routed", "proxy::handler::web"]);
        assert_eq!(of("let x = super::super::clock::TICK;"), ["proxy::clock::TICK"]);
        assert_eq!(of("fn f(x: &crate::model::Rule) {}"), ["model::Rule"]);
    }

    #[test]
    fn comments_texts_and_visibility_are_no_imports() {
        assert_eq!(of("// crate::a\nlet x = \"crate::b\"; /* crate::c */ pub(in crate::d) fn f() {}"), [""; 0]);
        assert_eq!(of("let c = '\"'; let l: &'static str = r#\"crate::e\"#; use crate::f;"), ["f"]);
    }
}
