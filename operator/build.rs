//! Builds the crate again when a file is added to the shipped library: `include_dir` by itself
//! notices only changes of the files that it has seen.

fn main() {
    println!("cargo::rerun-if-changed=../policies/library");
}
