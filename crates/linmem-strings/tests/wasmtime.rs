//! What the vectors cannot say: calls of the guest, traps, ownership, 64-bit memories, async hosts.
#![cfg(feature = "wasmtime")]

mod support;

use linmem_strings::wasmtime::{Strings, Strings64};
use linmem_strings::{Error, ErrorKind};
use wasmtime::{Caller, Engine, Instance, Linker, Module, Store, Trap};

use support::{Allocator, Guest, MALLOC_FREE};

fn guest(rest: &str) -> (Guest, Strings) {
    let wat = Allocator::default().module("i32", &format!("{MALLOC_FREE}{rest}"));
    let mut guest = Guest::new(&Engine::default(), &wat);
    let strings = Strings::new(&mut guest.store, &guest.instance).unwrap();
    (guest, strings)
}

fn kind_of(error: &wasmtime::Error) -> Option<ErrorKind> {
    error.downcast_ref::<Error>().map(Error::kind)
}

#[test]
fn what_is_lent_is_freed_when_the_call_returns_or_the_host_fails() {
    let (mut guest, strings) = guest("");
    strings.with(&mut guest.store, "text", |_, _| Ok(())).unwrap();
    assert_eq!(guest.live(), 0);
    let failed: wasmtime::Result<()> =
        strings.with(&mut guest.store, "text", |_, _| Err(wasmtime::format_err!("the host's own")));
    assert_eq!(failed.unwrap_err().to_string(), "the host's own");
    assert_eq!(guest.live(), 0);
}

#[test]
fn loans_can_nest() {
    let (mut guest, strings) = guest("");
    let both = strings.with(&mut guest.store, "outer", |mut cx, outer| {
        let inner = strings.with(&mut cx, "inner", |cx, inner| {
            assert_ne!(inner, outer);
            Ok(strings.read(&cx, inner)?.into_owned())
        })?;
        Ok((strings.read(&cx, outer)?.into_owned(), inner))
    });
    assert_eq!(both.unwrap(), ("outer".to_owned(), "inner".to_owned()));
    assert_eq!(guest.live(), 0);
}

#[test]
fn after_a_trap_nothing_is_called() {
    let (mut guest, strings) = guest(r#"(func (export "fail") (param i32) unreachable)"#);
    let fail = guest.instance.get_typed_func::<u32, ()>(&mut guest.store, "fail").unwrap();
    let kept = strings.alloc(&mut guest.store, "kept").unwrap();
    let trapped = strings.with(&mut guest.store, "text", |cx, text| fail.call(cx, text));
    let trap = trapped.unwrap_err();
    assert_eq!(trap.downcast_ref::<Trap>(), Some(&Trap::UnreachableCodeReached));
    assert_eq!(guest.live(), 2, "neither block is freed");

    let again = strings.with(&mut guest.store, "text", |_, _| Ok(())).unwrap_err();
    assert_eq!(kind_of(&again), Some(ErrorKind::Poisoned));
    assert_eq!(kept.free(&mut guest.store).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(guest.live(), 2);
}

#[test]
fn an_allocator_that_traps_poisons_too() {
    let wat = r#"(module (memory (export "memory") 1)
        (func (export "malloc") (param i32) (result i32) unreachable)
        (func (export "free") (param i32)))"#;
    let mut guest = Guest::new(&Engine::default(), wat);
    let strings = Strings::new(&mut guest.store, &guest.instance).unwrap();
    let error = strings.alloc(&mut guest.store, "text").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AllocatorTrapped);
    let cause = std::error::Error::source(&error).unwrap();
    let trap = cause.source().and_then(|cause| cause.downcast_ref::<Trap>());
    assert_eq!(trap, Some(&Trap::UnreachableCodeReached), "{cause:?}");
    assert_eq!(strings.alloc(&mut guest.store, "").unwrap_err().kind(), ErrorKind::Poisoned);
}

#[test]
fn what_the_guest_returns_is_read_and_freed() {
    let (mut guest, strings) = guest(
        r#"(data (i32.const 16) "static\00")
           (func (export "duplicate") (result i32) (local $copy i32)
             (local.set $copy (call $allocate (i32.const 7)))
             (memory.copy (local.get $copy) (i32.const 16) (i32.const 7))
             (local.get $copy))
           (func (export "broken") (result i32) (local $copy i32)
             (local.set $copy (call $allocate (i32.const 2)))
             (i32.store16 (local.get $copy) (i32.const 0x00ff))
             (local.get $copy))"#,
    );
    let store = &mut guest.store;
    assert_eq!(strings.read(&*store, 16).unwrap(), "static");
    assert_eq!(strings.read_optional(&*store, 16).unwrap().as_deref(), Some("static"));
    assert_eq!(strings.read_optional(&*store, 0).unwrap(), None);
    assert_eq!(strings.read(&*store, 0).unwrap_err().kind(), ErrorKind::NullPointer);

    let duplicate = guest.instance.get_typed_func::<(), u32>(&mut *store, "duplicate").unwrap();
    let owned = duplicate.call(&mut *store, ()).unwrap();
    assert_eq!(strings.take(&mut *store, owned).unwrap(), "static");
    assert_eq!(guest.live(), 0);

    let broken = guest.instance.get_typed_func::<(), u32>(&mut guest.store, "broken").unwrap();
    let owned = broken.call(&mut guest.store, ()).unwrap();
    let fatal = linmem_strings::Options {
        invalid: linmem_strings::Invalid::Fatal,
        ..linmem_strings::Options::default()
    };
    let error = strings.clone().options(fatal).take(&mut guest.store, owned).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUtf8 { address: owned.into(), offset: 0 });
    assert_eq!(guest.live(), 0, "freed although it could not be read");
    assert_eq!(strings.take(&mut guest.store, 0).unwrap_err().kind(), ErrorKind::NullPointer);
    assert_eq!(guest.live(), 0, "NULL is not freed");
}

/// What the sized allocators of Rust and C++ guests are told: each call's arguments.
const SIZED: &str = r#"
    (global $size (export "size") (mut i32) (i32.const 0))
    (global $alignment (export "alignment") (mut i32) (i32.const 0))
    (func (export "__wbindgen_malloc") (param $size i32) (param $alignment i32) (result i32)
      (call $allocate (local.get $size)))
    (func (export "__wbindgen_free")
        (param $block i32) (param $size i32) (param $alignment i32)
      (global.set $size (local.get $size))
      (global.set $alignment (local.get $alignment))
      (call $release (local.get $block)))"#;

/// The component model's allocator, which frees when the new size is 0.
const CABI: &str = r#"
    (global $size (export "size") (mut i32) (i32.const 0))
    (global $alignment (export "alignment") (mut i32) (i32.const 0))
    (func (export "cabi_realloc")
        (param $old i32) (param $old_size i32) (param $alignment i32) (param $size i32) (result i32)
      (if (result i32) (local.get $size)
        (then (call $allocate (local.get $size)))
        (else
          (global.set $size (local.get $old_size))
          (global.set $alignment (local.get $alignment))
          (call $release (local.get $old))
          (i32.const 0))))"#;

#[test]
fn sized_deallocators_get_the_exact_size() {
    for allocator in [SIZED, CABI] {
        let wat = Allocator::default().module("i32", allocator);
        let mut guest = Guest::new(&Engine::default(), &wat);
        let strings = Strings::new(&mut guest.store, &guest.instance).unwrap();
        let freed = |guest: &mut Guest| {
            ["size", "alignment"].map(|name| {
                let global = guest.instance.get_global(&mut guest.store, name).unwrap();
                global.get(&mut guest.store).unwrap_i32()
            })
        };
        strings.with(&mut guest.store, "four", |_, _| Ok(())).unwrap();
        assert_eq!(freed(&mut guest), [5, 1]);
        strings.with_all(&mut guest.store, ["ab", "cde"], |_, _| Ok(())).unwrap();
        assert_eq!(freed(&mut guest), [7, 1]);
        strings.alloc(&mut guest.store, "kept").unwrap().free(&mut guest.store).unwrap();
        assert_eq!(freed(&mut guest), [5, 1]);
        let owned = strings.alloc(&mut guest.store, "seven..").unwrap().ptr();
        assert_eq!(strings.take(&mut guest.store, owned).unwrap(), "seven..");
        assert_eq!(freed(&mut guest), [8, 1]);
        assert_eq!(guest.live(), 0);
    }
}

#[test]
fn a_memory_with_64_bit_addresses() {
    let wat = Allocator::default().module("i64", MALLOC_FREE);
    let mut guest = Guest::new(&Engine::default(), &wat);
    let strings = Strings64::new(&mut guest.store, &guest.instance).unwrap();
    let read = strings
        .with(&mut guest.store, "wide", |cx, at: u64| Ok(strings.read(&cx, at)?.into_owned()));
    assert_eq!(read.unwrap(), "wide");
    let beyond = strings.read(&guest.store, u64::MAX).unwrap_err().kind();
    assert_eq!(
        beyond,
        ErrorKind::OutOfRange { address: u64::MAX, byte_length: 1, memory_bytes: 65_536 }
    );
    let narrow = Strings::new(&mut guest.store, &guest.instance).unwrap_err();
    assert_eq!(narrow.kind(), ErrorKind::MissingExport);
}

#[test]
fn a_host_function_asks_its_caller() {
    let engine = Engine::default();
    let mut linker = Linker::<Vec<String>>::new(&engine);
    linker
        .func_wrap("host", "log", |mut caller: Caller<'_, Vec<String>>, message: u32| {
            let strings = Strings::from_caller(&mut caller)?;
            let line = strings.read(&caller, message)?.into_owned();
            let echo = strings
                .with(&mut caller, &line, |cx, at| Ok(strings.read(&cx, at)?.into_owned()))?;
            caller.data_mut().extend([line, echo]);
            Ok(())
        })
        .unwrap();
    let wat = Allocator::default()
        .module(
            "i32",
            &format!(
                r#"{MALLOC_FREE}
                (data (i32.const 16) "from inside\00")
                (func (export "run") (call $log (i32.const 16)))"#
            ),
        )
        .replacen("(module", r#"(module (import "host" "log" (func $log (param i32)))"#, 1);
    let module = Module::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    instance.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ()).unwrap();
    assert_eq!(store.data().as_slice(), ["from inside", "from inside"]);
}

#[test]
fn without_an_allocator_the_error_lists_the_names() {
    let mut guest = Guest::new(&Engine::default(), r#"(module (memory (export "memory") 1))"#);
    let error = Strings::new(&mut guest.store, &guest.instance).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingExport);
    for family in linmem_strings::allocator::FAMILIES {
        assert!(error.to_string().contains(family.malloc), "{error}");
    }
    assert!(error.to_string().contains("cabi_realloc"), "{error}");
}

/// Polls a future that only ever waits for the guest.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

#[test]
fn asynchronous_hosts() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    // A host function that is not ready the first time.
    linker
        .func_wrap_async("host", "wait", |_: Caller<'_, ()>, ()| {
            let mut waited = false;
            Box::new(std::future::poll_fn(move |cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut waited, true) {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            }))
        })
        .unwrap();
    let wat = Allocator::default()
        .module(
            "i32",
            &format!(
                r#"{MALLOC_FREE}
                (func (export "first") (param $text i32) (result i32)
                  (call $wait) (i32.load8_u (local.get $text)))"#
            ),
        )
        .replacen("(module", r#"(module (import "host" "wait" (func $wait))"#, 1);
    let module = Module::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    block_on(async {
        let instance: Instance = linker.instantiate_async(&mut store, &module).await.unwrap();
        let first = instance.get_typed_func::<u32, u32>(&mut store, "first").unwrap();
        let strings = Strings::new(&mut store, &instance).unwrap();
        let byte = strings
            .with_async(&mut store, "text", async |cx, text| first.call_async(cx, text).await)
            .await;
        assert_eq!(byte.unwrap(), u32::from(b't'));
        let bytes = strings
            .with_all_async(&mut store, ["a", "b"], async |mut cx, [a, b]| {
                let a = first.call_async(&mut cx, a).await?;
                Ok([a, first.call_async(&mut cx, b).await?])
            })
            .await;
        assert_eq!(bytes.unwrap(), [u32::from(b'a'), u32::from(b'b')]);
        let kept = strings.alloc_async(&mut store, "kept").await.unwrap();
        assert_eq!(strings.read(&store, kept.ptr()).unwrap(), "kept");
        kept.free_async(&mut store).await.unwrap();
        let owned = strings.alloc_async(&mut store, "owned").await.unwrap().ptr();
        assert_eq!(strings.take_async(&mut store, owned).await.unwrap(), "owned");
        let live = instance.get_global(&mut store, "live").unwrap();
        assert_eq!(live.get(&mut store).unwrap_i32(), 0);
    });
}
