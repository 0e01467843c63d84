//! The page is embedded in the binary, and cargo does not see that `web/dist` came to be after a build without it.

#![allow(clippy::print_stdout, reason = "cargo reads it")]

fn main() {
    // Cargo takes what is missing for changed, each time anew; while there is no page its folder is looked at.
    let page = if std::path::Path::new("web/dist").exists() {
        "web/dist"
    } else {
        "web"
    };
    println!("cargo::rerun-if-changed={page}");
}
