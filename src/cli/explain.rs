//! PLACEHOLDER
pub fn run(_: &super::args::ExplainArgs, _: &mut dyn std::io::Write) -> Result<u8, String> {
    Err("x".into())
}
