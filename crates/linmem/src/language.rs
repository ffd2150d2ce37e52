//! What languages' runtimes do by themselves, so that no program is blamed for it.
//!
//! - `collectors`: runtimes that collect garbage
//! - `main_function`: what the user's `main` is compiled to
//! - `objects`: classes whose objects a host makes and frees
//! - `start_up`: what start-up code allocates for the whole run
//! - `runtime_frames`: frames in which a program has already returned from `main`
//! - `trampolines`: imported functions through which a module calls itself
//! - `library_frames`: frames of a language's own libraries, which people do not want to read

mod collectors;
mod library_frames;
mod main_function;
mod objects;
mod runtime_frames;
mod start_up;
mod trampolines;

pub(crate) use collectors::collector;
pub(crate) use library_frames::is_library;
pub(crate) use main_function::main_function;
pub(crate) use objects::{
    Class, class_that_is_freed, classes, constructors, is_of_class, makes_objects,
};
pub(crate) use runtime_frames::RuntimeFrames;
pub(crate) use start_up::StartUp;
pub(crate) use trampolines::is_trampoline;
