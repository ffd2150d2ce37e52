//! Arguments of `linmem call`: numbers and texts on the command line, values for the export.

use std::path::Path;

use anyhow::{Context, Result, bail};
use linmem_strings::wasmtime::{GuestString, Strings, Strings64};
use linmem_wasmtime::{AsContext, FuncType, Session, Val, ValType};

use crate::files;

/// What is passed for one argument.
pub enum Value {
    /// A number, for one parameter.
    Number(Val),
    /// A C string, for one parameter.
    Text(String),
    /// Pointer and length, for two.
    Sized(String),
}

/// Texts are shorter than this: a 32-bit memory has no room for a longer one.
const MAX_TEXT_BYTES: usize = 1 << 32;

/// The values for the parameters of an export.
pub fn parse(args: &[String], export: &str, ty: &FuncType) -> Result<Vec<Value>> {
    let mut params = ty.params();
    let mut values = Vec::new();
    let wrong_number = || {
        let params: Vec<String> = ty.params().map(|param| param.to_string()).collect();
        format!("`{export}` takes ({}): {} arguments do not fit", params.join(", "), args.len())
    };
    for arg in args {
        let param = params.next().with_context(wrong_number)?;
        let value = match number(arg, &param)? {
            Some(number) => Value::Number(number),
            None => text_value(arg).with_context(|| format!("argument `{arg}`"))?,
        };
        if let Value::Sized(_) = value {
            expect_integer(&params.next().with_context(wrong_number)?, arg)?;
        }
        if !matches!(value, Value::Number(_)) {
            expect_integer(&param, arg)?;
        }
        values.push(value);
    }
    if params.next().is_some() {
        bail!(wrong_number());
    }
    Ok(values)
}

/// A number of the parameter's type, if the whole argument is a number.
fn number(arg: &str, ty: &ValType) -> Result<Option<Val>> {
    // Unsigned numbers too: C programs and pointers use them.
    let whole = |least: i64, most: u64| match integer(arg) {
        Some(number) if i128::from(least) <= number && number <= i128::from(most) => {
            Ok(Some(number))
        }
        Some(_) => bail!("{arg} does not fit into {ty}; text:{arg} would be text"),
        None => Ok(None),
    };
    Ok(match ty {
        ValType::I32 => whole(i32::MIN.into(), u32::MAX.into())?.map(|n| Val::I32(n as i32)),
        ValType::I64 => whole(i64::MIN, u64::MAX)?.map(|n| Val::I64(n as i64)),
        ValType::F32 => arg.parse::<f32>().ok().map(|n| Val::F32(n.to_bits())),
        ValType::F64 => arg.parse::<f64>().ok().map(|n| Val::F64(n.to_bits())),
        _ => None,
    })
}

/// A whole number, decimal or hexadecimal. One that does not fit is as large, or as small, as possible.
fn integer(arg: &str) -> Option<i128> {
    let (sign, digits) = arg.strip_prefix('-').map_or((1, arg), |digits| (-1, digits));
    let (digits, radix) = digits.strip_prefix("0x").map_or((digits, 10), |hex| (hex, 16));
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    is_number.then(|| sign * i128::from_str_radix(digits, radix).unwrap_or(i128::MAX))
}

fn expect_integer(param: &ValType, arg: &str) -> Result<()> {
    match param {
        ValType::I32 | ValType::I64 => Ok(()),
        other => bail!("`{arg}` is no number, and a parameter of type {other} takes no text"),
    }
}

fn text_value(arg: &str) -> Result<Value> {
    match arg.strip_prefix("sized:") {
        Some(text) => Ok(Value::Sized(self::text(text)?)),
        None => Ok(Value::Text(text(arg)?)),
    }
}

fn text(arg: &str) -> Result<String> {
    if let Some(text) = arg.strip_prefix("text:") {
        return Ok(text.to_owned());
    }
    if let Some(path) = arg.strip_prefix('@') {
        let bytes = files::read(Path::new(path))?;
        return String::from_utf8(bytes).with_context(|| format!("{path} is not UTF-8"));
    }
    match arg.rsplit_once('*') {
        Some((pattern, times)) if !pattern.is_empty() => match times.parse::<usize>() {
            Ok(times) if pattern.len().saturating_mul(times) < MAX_TEXT_BYTES => {
                Ok(pattern.repeat(times))
            }
            Ok(_) => bail!("no memory has room for so much text"),
            Err(_) => Ok(arg.to_owned()),
        },
        _ => Ok(arg.to_owned()),
    }
}

/// The strings of a session's instance, whatever the width of its addresses.
pub enum SessionStrings {
    Narrow(Strings),
    Wide(Strings64),
}

/// A string in the instance's memory.
pub enum Passed {
    Narrow(GuestString<u32>),
    Wide(GuestString<u64>),
}

impl SessionStrings {
    /// Finds the memory and the allocator.
    pub fn new(session: &mut Session<'_>) -> Result<SessionStrings> {
        let instance = session.instance().context("the module's start function did not return")?;
        let is_64 = session.has_64_bit_memory();
        let mut store = session.store();
        Ok(if is_64 {
            SessionStrings::Wide(Strings64::new(&mut store, &instance)?)
        } else {
            SessionStrings::Narrow(Strings::new(&mut store, &instance)?)
        })
    }

    /// Puts a text into a block of its own: as a C string, or as just its bytes, which may have a NUL
    /// among them.
    pub fn pass(&self, session: &mut Session<'_>, text: &str, with_length: bool) -> Result<Passed> {
        let store = session.store();
        Ok(match (self, with_length) {
            (SessionStrings::Narrow(strings), false) => Passed::Narrow(strings.alloc(store, text)?),
            (SessionStrings::Wide(strings), false) => Passed::Wide(strings.alloc(store, text)?),
            (SessionStrings::Narrow(strings), true) => {
                Passed::Narrow(strings.alloc_sized(store, text)?)
            }
            (SessionStrings::Wide(strings), true) => {
                Passed::Wide(strings.alloc_sized(store, text)?)
            }
        })
    }

    /// Reads a C string.
    pub fn read(&self, session: &mut Session<'_>, pointer: u64) -> Result<String> {
        let store = session.store();
        let text = match self {
            SessionStrings::Narrow(strings) => strings.read(store.as_context(), pointer as u32)?,
            SessionStrings::Wide(strings) => strings.read(store.as_context(), pointer)?,
        };
        Ok(text.into_owned())
    }

    /// Reads so many bytes.
    pub fn read_sized(
        &self,
        session: &mut Session<'_>,
        pointer: u64,
        length: u64,
    ) -> Result<String> {
        let store = session.store();
        let text = match self {
            SessionStrings::Narrow(strings) => {
                strings.read_sized(store.as_context(), pointer as u32, length as u32)?
            }
            SessionStrings::Wide(strings) => {
                strings.read_sized(store.as_context(), pointer, length)?
            }
        };
        Ok(text.into_owned())
    }

    /// Reads a C string and frees it.
    pub fn take(&self, session: &mut Session<'_>, pointer: u64) -> Result<String> {
        Ok(match self {
            SessionStrings::Narrow(strings) => strings.take(session.store(), pointer as u32)?,
            SessionStrings::Wide(strings) => strings.take(session.store(), pointer)?,
        })
    }
}

impl Passed {
    /// Where it is.
    pub fn pointer(&self) -> u64 {
        match self {
            Passed::Narrow(string) => string.ptr().into(),
            Passed::Wide(string) => string.ptr(),
        }
    }

    /// The values for the export: the pointer, and its length if that is wanted.
    pub fn values(&self, with_length: bool) -> Vec<Val> {
        match self {
            Passed::Narrow(string) => {
                let length = with_length.then_some(Val::I32(string.byte_length() as i32));
                std::iter::once(Val::I32(string.ptr() as i32)).chain(length).collect()
            }
            Passed::Wide(string) => {
                let length = with_length.then_some(Val::I64(string.byte_length() as i64));
                std::iter::once(Val::I64(string.ptr() as i64)).chain(length).collect()
            }
        }
    }

    /// Gives the block back.
    pub fn free(self, session: &mut Session<'_>) -> Result<()> {
        match self {
            Passed::Narrow(string) => string.free(session.store())?,
            Passed::Wide(string) => string.free(session.store())?,
        }
        Ok(())
    }
}
