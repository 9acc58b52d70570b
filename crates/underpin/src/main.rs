//! The `underpin` binary: picks the allocator and the TLS provider, and calls the library.

use std::process::ExitCode;

/// The released programs for Linux are static; musl's own allocator is slow for many small
/// allocations by many threads, which is what reading a cluster is.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One TLS provider in the whole tree; installing twice is the only way this can fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    underpin::run()
}
