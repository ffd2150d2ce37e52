//! Classes whose objects a host makes and gives back through exported functions, by how generators of bindings name
//! these.

use std::collections::{BTreeMap, BTreeSet};

use crate::module::Module;

/// A class.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// As the exports spell it.
    pub(crate) name: String,
    /// The functions that make an object.
    pub(crate) constructors: Vec<u32>,
    /// The function that gives one back.
    pub(crate) destructor: u32,
}

/// The classes of a module that have both: those of wasm-bindgen (`point_new`, `__wbg_point_free`) and of Emscripten's
/// WebIDL binder (`emscripten_bind_Point_Point_2`, `emscripten_bind_Point___destroy___0`).
pub(crate) fn classes(module: &Module<'_>) -> Vec<Class> {
    let exports: BTreeMap<&str, u32> = module.exported_functions().collect();
    let all = exports.iter().filter_map(|(export, &destructor)| {
        let (name, constructors) = of_wasm_bindgen(&exports, export)
            .or_else(|| of_web_idl(&exports, export.strip_prefix('_').unwrap_or(export)))?;
        let name = name.to_owned();
        (!constructors.is_empty()).then_some(Class { name, constructors, destructor })
    });
    all.collect()
}

/// The functions that make an object of such a class.
pub(crate) fn constructors(module: &Module<'_>) -> BTreeSet<u32> {
    classes(module).into_iter().flat_map(|class| class.constructors).collect()
}

fn of_wasm_bindgen<'e>(
    exports: &BTreeMap<&str, u32>,
    export: &'e str,
) -> Option<(&'e str, Vec<u32>)> {
    let class = class_that_is_freed(export)?;
    Some((class, exports.get(&*format!("{class}_new")).copied().into_iter().collect()))
}

/// Whether a host makes objects of wasm-bindgen's classes with a module, which their finalizers free.
pub(crate) fn makes_objects(module: &Module<'_>) -> bool {
    module.exported_functions().any(|(export, _)| class_that_is_freed(export).is_some())
}

/// The class of which an export of wasm-bindgen's frees an object.
pub(crate) fn class_that_is_freed(export: &str) -> Option<&str> {
    export.strip_prefix("__wbg_")?.strip_suffix("_free")
}

/// Whether an export is a method, or a function, of one of wasm-bindgen's classes: `point_x`, where there is `__wbg_point_free`.
pub(crate) fn is_of_class(module: &Module<'_>, export: &str) -> bool {
    let mut others = module.exported_functions().map(|(other, _)| other);
    others.any(|other| {
        let class = class_that_is_freed(other).filter(|class| !class.is_empty());
        let method = class.and_then(|class| export.strip_prefix(class)?.strip_prefix('_'));
        method.is_some_and(|method| method != "new")
    })
}

fn of_web_idl<'e>(exports: &BTreeMap<&str, u32>, export: &'e str) -> Option<(&'e str, Vec<u32>)> {
    let class = export.strip_prefix("emscripten_bind_")?.strip_suffix("___destroy___0")?;
    let beginning = format!("emscripten_bind_{class}_{class}_");
    let makes = |name: &str| {
        let arguments = name.strip_prefix('_').unwrap_or(name).strip_prefix(&beginning);
        arguments.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let constructors = exports.iter().filter(|(name, _)| makes(name));
    Some((class, constructors.map(|(_, function)| *function).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exports: &[&str]) -> Vec<Class> {
        let functions = exports.iter().map(|name| format!("(func (export {name:?}))"));
        let wasm = wat::parse_str(format!("(module {})", functions.collect::<String>())).unwrap();
        classes(&Module::parse(&wasm).unwrap())
    }

    #[test]
    fn classes_have_a_constructor_and_a_destructor() {
        let point = |constructors: &[u32], destructor, name: &str| {
            vec![Class { name: name.to_owned(), constructors: constructors.to_vec(), destructor }]
        };
        assert_eq!(of(&["point_new", "point_x", "__wbg_point_free"]), point(&[0], 2, "point"));
        let both = ["emscripten_bind_Point_Point_0", "emscripten_bind_Point_Point_2"];
        let destroy = "emscripten_bind_Point___destroy___0";
        assert_eq!(of(&[both[0], both[1], destroy]), point(&[0, 1], 2, "Point"));
    }

    #[test]
    fn a_class_without_one_of_them_is_none() {
        assert_eq!(of(&["point_new", "point_free"]), []);
        assert_eq!(of(&["__wbg_point_free", "points_new"]), []);
        assert_eq!(
            of(&["emscripten_bind_Point_PointAt_1", "emscripten_bind_Point___destroy___0"]),
            []
        );
    }
}
