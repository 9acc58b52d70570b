//! The `underpin` binary: picks the allocator and the TLS provider, and calls the library.

use std::process::ExitCode;

/// Reading a cluster is many small allocations by many threads. musl's own allocator is slow at
/// that, and the released programs for Linux are static; glibc's takes a quarter more of the time.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One TLS provider in the whole tree; installing twice is the only way this can fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    underpin::run()
}
