//! The few functions of WASI preview 1 that Rust's standard library asks for.

use crate::{imports::Host, vm::State};
use wasmi::{Error, Linker};

const SUCCESS: u32 = 0;
/// `ENOTCAPABLE`: what Kong answers to anything about files.
const NOT_CAPABLE: u32 = 76;
const WASI: &str = "wasi_snapshot_preview1";

type Errno = Result<u32, Error>;

pub(crate) fn link(linker: &mut Linker<State>) -> Result<(), Error> {
    linker.func_wrap(WASI, "fd_write", fd_write)?;
    linker.func_wrap(WASI, "clock_time_get", |mut host: Host, _: u32, _: u64, time: u32| -> Errno {
        let now = host.data().world.borrow().now_nanos;
        write(&mut host, time, &now.to_le_bytes())
    })?;
    linker.func_wrap(WASI, "random_get", |mut host: Host, at: u32, len: u32| -> Errno {
        // As predictable as Kong's own, which is libc's random().
        let bytes: Vec<u8> = (0..len).map(|it| (it.wrapping_mul(181) >> 3) as u8).collect();
        write(&mut host, at, &bytes)
    })?;
    for sizes in ["environ_sizes_get", "args_sizes_get"] {
        linker.func_wrap(WASI, sizes, |mut host: Host, count: u32, size: u32| -> Errno {
            write(&mut host, count, &[0; 4])?;
            write(&mut host, size, &[0; 4])
        })?;
    }
    for list in ["environ_get", "args_get"] {
        linker.func_wrap(WASI, list, |_: u32, _: u32| SUCCESS)?;
    }
    linker.func_wrap(WASI, "sched_yield", || SUCCESS)?;
    linker.func_wrap(WASI, "fd_close", |_: u32| NOT_CAPABLE)?;
    linker.func_wrap(WASI, "fd_seek", |_: u32, _: i64, _: u32, _: u32| NOT_CAPABLE)?;
    linker.func_wrap(WASI, "fd_fdstat_get", |_: u32, _: u32| NOT_CAPABLE)?;
    linker.func_wrap(WASI, "fd_prestat_get", |_: u32, _: u32| NOT_CAPABLE)?;
    linker.func_wrap(WASI, "proc_exit", |code: u32| -> Result<(), Error> {
        Err(Error::new(format!("the module left with code {code}")))
    })?;
    Ok(())
}

/// Standard output and error go to Kong's log.
fn fd_write(mut host: Host, fd: u32, vectors: u32, count: u32, written: u32) -> Errno {
    let mut text = Vec::new();
    for index in 0..count {
        let at = u32_at(&host, vectors + index * 8)?;
        let len = u32_at(&host, vectors + index * 8 + 4)?;
        text.extend(crate::imports::read(&host, at, len)?);
    }
    let state = host.data();
    let line = format!("[fd {fd}] {}: {}", state.filter, String::from_utf8_lossy(&text).trim_end());
    state.world.borrow_mut().logs.push(line);
    write(&mut host, written, &(text.len() as u32).to_le_bytes())
}

fn u32_at(host: &Host, at: u32) -> Result<u32, Error> {
    let four = crate::imports::read(host, at, 4)?;
    Ok(u32::from_le_bytes(four.try_into().expect("four bytes")))
}

fn write(host: &mut Host, at: u32, bytes: &[u8]) -> Errno {
    crate::imports::write(host, at, bytes).map(|()| SUCCESS)
}
