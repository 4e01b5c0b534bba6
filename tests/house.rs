//! House rules that a compiler does not check: who imports whom, the length of files, what may
//! stand in them. A rule that fails names the file and the line.

mod house {
    pub(crate) mod cycles;
    pub(crate) mod imports;
    pub(crate) mod source;
}

use house::{
    cycles::Graph,
    imports::{Import, imports, names},
    source::{Source, sources},
};
use std::{fs, path::Path, process::Command};

/// The most lines of code in one file, without blank lines, comments and tests.
const LONGEST: usize = 400;

/// Files that may be longer, each with the reason.
const LONG: [(&str, &str); 0] = [];

/// The largest file in the repository, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The stages of the data path, each of which imports later ones and shared modules only.
const STAGES: [&str; 12] = [
    "engine",
    "listener",
    "tls",
    "connection",
    "dispatch",
    "admission",
    "limiter",
    "handler",
    "retry",
    "balancer",
    "upstream",
    "reply",
];

/// What every stage of the data path may use: the state of a core, and values that travel along.
const SHARED: [&str; 23] = [
    "access_log",
    "activity",
    "body",
    "clients",
    "clock",
    "context",
    "core",
    "error",
    "exchange",
    "extended",
    "fields",
    "found",
    "grpc",
    "install",
    "installed",
    "learning",
    "outgoing",
    "pace",
    "peer",
    "permit",
    "request_body",
    "turns",
    "whole",
];

/// The modules whose files import each other in one direction.
const ACYCLIC: [&str; 7] = ["control", "live", "model", "proxy", "resource", "rpc", "table"];

/// Crates of the outside world that the words of both paths do not name.
const OUTSIDE: [&str; 5] = ["kube", "k8s_openapi", "hyper", "hyper_util", "tokio"];

fn top(path: &[String]) -> &str {
    path.first().map_or("", String::as_str)
}

fn all_imports(sources: &[Source]) -> Vec<(&Source, Import)> {
    sources.iter().flat_map(|source| imports(source).into_iter().map(move |import| (source, import))).collect()
}

/// The imports that cross from one top-level module to another, but for the entry points.
fn crossings(sources: &[Source]) -> Vec<(&str, String, String)> {
    let modules: Vec<&str> = sources.iter().map(|source| top(&source.module)).collect();
    all_imports(sources)
        .into_iter()
        .filter(|(source, import)| {
            let (from, to) = (top(&source.module), top(&import.path));
            !from.is_empty() && from != to && modules.contains(&to)
        })
        .map(|(source, import)| {
            let place = format!("{}:{} imports crate::{}", source.file, import.line, import.path.join("::"));
            (top(&source.module), top(&import.path).to_owned(), place)
        })
        .collect()
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn modules_import_in_one_direction() {
    let may = |from: &str, to: &str| match from {
        "control" => to != "proxy",
        "proxy" => to != "control",
        "table" | "resource" => false,
        "rpc" => to == "table",
        "model" => matches!(to, "rpc" | "table"),
        "live" => matches!(to, "model" | "rpc" | "table"),
        _ => true,
    };
    let sources = sources();
    let wrong = crossings(&sources).into_iter().filter(|(from, to, _)| !may(from, to)).map(|(.., place)| place);
    none(&wrong.collect::<Vec<_>>());
}

#[test]
fn the_words_of_both_paths_do_not_name_the_outside_world() {
    let is_pure = |source: &&Source| matches!(top(&source.module), "live" | "model" | "rpc" | "table");
    let mut wrong = Vec::new();
    for source in sources().iter().filter(is_pure) {
        for (name, line) in names(source) {
            // The swap cell is where values cross to the cores.
            let allowed = name == "tokio" && source.file == "src/table/swap.rs";
            if OUTSIDE.contains(&name.as_str()) && !allowed {
                wrong.push(format!("{}:{line} names {name}", source.file));
            }
        }
    }
    none(&wrong);
}

#[test]
fn top_level_modules_have_no_import_cycles() {
    let sources = sources();
    let mut graph = Graph::default();
    for (from, to, place) in crossings(&sources) {
        graph.add(from, &to, place);
    }
    none(&graph.cycles());
}

/// The file that a path within the crate leads to: the deepest module on it.
fn file_of<'a>(sources: &'a [Source], path: &[String]) -> Option<&'a Source> {
    let on_path = sources.iter().filter(|source| !source.module.is_empty() && path.starts_with(&source.module));
    on_path.max_by_key(|source| source.module.len())
}

/// A file and the modules below it are one: it says what they share, and builds on them.
#[test]
fn files_of_a_module_have_no_import_cycles() {
    let sources = sources();
    let mut graph = Graph::default();
    for (source, import) in all_imports(&sources) {
        let Some(to) = file_of(&sources, &import.path) else { continue };
        let related = to.module.starts_with(&source.module) || source.module.starts_with(&to.module);
        if top(&source.module) == top(&to.module) && ACYCLIC.contains(&top(&source.module)) && !related {
            graph.add(&source.file, &to.file, format!("line {}: crate::{}", import.line, import.path.join("::")));
        }
    }
    none(&graph.cycles());
}

#[test]
fn a_stage_of_the_data_path_imports_later_stages_only() {
    let sources = sources();
    let stage = |name: &str| STAGES.iter().position(|stage| *stage == name);
    let mut wrong = Vec::new();
    for (source, import) in all_imports(&sources) {
        let ([from, at, ..], [to, used, ..]) = (source.module.as_slice(), import.path.as_slice()) else { continue };
        if from != "proxy" || to != "proxy" || at == used {
            continue;
        }
        if let (Some(at), Some(used)) = (stage(at), stage(used))
            && used < at
        {
            let path = import.path.join("::");
            wrong.push(format!("{}:{} imports the earlier stage crate::{path}", source.file, import.line));
        }
    }
    none(&wrong);
}

#[test]
fn every_module_of_the_data_path_is_a_stage_or_shared() {
    let sources = sources();
    let of_proxy = sources.iter().filter(|source| top(&source.module) == "proxy");
    let unknown = of_proxy.filter(|source| {
        let name = source.module.get(1).map_or("", String::as_str);
        !name.is_empty() && !STAGES.contains(&name) && !SHARED.contains(&name)
    });
    none(&unknown.map(|source| format!("{}: name it in STAGES or SHARED", source.file)).collect::<Vec<_>>());
}

#[test]
fn files_are_short() {
    let sources = sources();
    let long = sources.iter().filter(|source| {
        let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
        lines > LONGEST && !LONG.iter().any(|(file, _)| *file == source.file)
    });
    none(&long.map(|source| format!("{}: more than {LONGEST} lines of code", source.file)).collect::<Vec<_>>());
}

#[test]
fn every_module_says_what_it_owns_in_its_first_line() {
    let sources = sources();
    let silent = sources.iter().filter(|source| !source.text.starts_with("//! "));
    none(&silent.map(|source| format!("{}:1 does not start with //!", source.file)).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_to_do() {
    let mut wrong = Vec::new();
    for source in &sources() {
        for (index, (code, text)) in source.code.lines().zip(source.text.lines()).enumerate() {
            let later = ["TODO", "FIXME", "XXX"].iter().find(|word| text.contains(**word));
            // Tests are cut out of the code, and may unwrap.
            let hasty = ["unwrap(", "todo!", "unimplemented!"].iter().find(|word| code.contains(**word));
            if let Some(word) = later.or(hasty) {
                wrong.push(format!("{}:{} has {word}", source.file, index + 1));
            }
        }
    }
    none(&wrong);
}

/// The files of the repository, as git knows them.
fn tracked() -> Vec<String> {
    let git = Command::new("git").args(["ls-files", "-z"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let listed = git.expect("git must be there to list the files").stdout;
    let files: Vec<String> =
        listed.split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let files: Vec<String> = files.into_iter().filter(|name| !name.is_empty()).collect();
    assert!(!files.is_empty(), "git lists no files");
    files
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let machine = regex::Regex::new(r"(^|[^A-Za-z0-9_.}/-])/(work|root|home)(/|[^A-Za-z0-9_/-]|$)").unwrap();
    let mut wrong = Vec::new();
    for name in &tracked() {
        let Ok(bytes) = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)) else { continue };
        for (index, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            if machine.is_match(line) {
                wrong.push(format!("{name}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    none(&wrong);
}

#[test]
fn no_file_is_large() {
    let size =
        |name: &String| fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).map_or(0, |file| file.len());
    let large = tracked().into_iter().filter(|name| size(name) > LARGEST);
    none(&large.map(|name| format!("{name}: more than {LARGEST} bytes")).collect::<Vec<_>>());
}
