//! The sources as the house rules see them: where each stands in the module tree, and its code
//! without comments, texts and tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One source file of the library.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it is, from the root of the repository.
    pub(crate) file: String,
    /// Its module, without `crate`. Empty for the entry points.
    pub(crate) module: Vec<String>,
    /// Everything but the inline test module.
    pub(crate) text: String,
    /// The same lines without comments and the content of texts.
    pub(crate) code: String,
}

/// Every source file that is not for tests alone.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.sort();
    let sources: Vec<Source> = files.iter().map(|file| read(root, file)).collect();
    let for_tests: Vec<Vec<String>> = sources.iter().flat_map(test_modules).collect();
    let is_for_tests = |module: &[String]| for_tests.iter().any(|test| module.starts_with(test));
    sources.into_iter().filter(|source| !is_for_tests(&source.module)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder must be readable") {
        let path = entry.expect("the folder must be readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Source {
    let file =
        path.strip_prefix(root).expect("a source must lie in the repository").to_string_lossy().replace('\\', "/");
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    let module = match inner {
        "main" | "lib" => Vec::new(),
        inner => inner.split('/').map(str::to_owned).collect(),
    };
    let whole = fs::read_to_string(path).expect("a source must be text");
    let (text, code) = without_inline_tests(&whole, &strip(&whole));
    Source { file, module, text, code }
}

/// By house style a file has one inline test module, which ends with a brace of its own.
fn without_inline_tests(text: &str, code: &str) -> (String, String) {
    let lines: Vec<&str> = code.lines().collect();
    let is_inline = |at: &usize| {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        lines[*at].trim() == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{')
    };
    let Some(start) = (0..lines.len()).find(is_inline) else { return (text.to_owned(), code.to_owned()) };
    let length = lines[start..].iter().position(|line| *line == "}").unwrap_or(lines.len());
    // Empty lines keep the numbers of what follows.
    let cut = |text: &str| {
        let kept = text.lines().enumerate();
        kept.map(
            |(at, line)| if (start..=start + length).contains(&at) { "\n".to_owned() } else { format!("{line}\n") },
        )
        .collect()
    };
    (cut(text), cut(code))
}

/// The modules in files of their own that a file declares for tests alone.
fn test_modules(source: &Source) -> Vec<Vec<String>> {
    let lines: Vec<&str> = source.code.lines().map(str::trim).collect();
    let pairs = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names = pairs.filter_map(|pair| {
        let (_, name) = pair[1].split_once("mod ")?;
        name.strip_suffix(';').map(str::to_owned)
    });
    names.map(|name| source.module.iter().cloned().chain([name]).collect()).collect()
}

/// The same text with comments, and the content of texts, taken out. Lines stay lines.
pub(crate) fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest, &out);
        if length > 0 {
            out.extend(rest[..length].chars().filter(|c| *c == '\n'));
            out.push(' ');
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    let lines: Vec<&str> = out.split('\n').map(str::trim_end).collect();
    lines.join("\n")
}

/// How many bytes of a comment or literal start here.
fn skipped(rest: &str, before: &str) -> usize {
    let in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let bytes = rest.as_bytes();
    match bytes {
        [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => rest.find("*/").map_or(rest.len(), |end| end + 2),
        [b'"', ..] => 1 + quoted(&bytes[1..], b'"'),
        [b'r', b'"' | b'#', ..] if !in_word => raw(rest),
        // A lifetime has no quote at its end.
        [b'\'', b'\\', ..] => 1 + quoted(&bytes[1..], b'\''),
        [b'\'', ..] => {
            let character = rest[1..].chars().next().map_or(1, char::len_utf8);
            if bytes.get(1 + character) == Some(&b'\'') { character + 2 } else { 0 }
        }
        _ => 0,
    }
}

fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw(rest: &str) -> usize {
    let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    if rest.as_bytes().get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 2 + hashes;
    rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
}
