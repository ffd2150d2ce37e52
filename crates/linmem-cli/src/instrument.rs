/// Runs the command.
pub fn main(args: Args) -> Result<ExitCode> {
    let wasm = files::read(&args.module)?;
    let debug = files::debug_information(&args.module, &wasm);
    let prepared = Prepared::new(&wasm, &args.allocator.hints(), debug.as_deref());
    let prepared = files::about(&args.module, prepared)?;
    let instrumented = files::about(&args.module, prepared.instrument(&Mode::default()))?;
    if let Some(path) = &args.map {
        let map = files::about(&args.module, instrumented.recorder_map(&prepared))?;
        files::write(path, &map)?;
    }
    files::write(&args.output, &instrumented.wasm)?;
    Ok(ExitCode::SUCCESS)
}
