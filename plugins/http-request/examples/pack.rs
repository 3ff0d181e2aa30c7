//! Freezes this step's manifest into its component: `pack COMPONENT.wasm PACKED.wasm`.

use http_request::{Inputs, Outputs};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let text = include_str!("../plugin.toml");
    match bowline_sdk::pack::from_arguments::<Inputs, Outputs>(text, env::args_os().skip(1)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pack: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}
