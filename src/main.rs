//! The command line of Portolan.

fn main() {}
