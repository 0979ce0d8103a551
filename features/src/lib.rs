//! A package without code, whose dependencies give third-party crates the same features in every build.
//!
//! Cargo enables for the packages of one command only the features that they ask for, so without this package
//! `cargo run -p herald-local`, the functions, the command line tool and the tests would each compile a set of
//! dependencies of their own.
