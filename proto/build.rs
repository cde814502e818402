//! Build: compiles the .proto files without protoc, and keeps their descriptors for gRPC reflection.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["proto/agent.proto", "proto/coordination.proto", "proto/admin.proto"];
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("watchdog.bin");
    std::fs::write(out, prost_bytes(&descriptors))?;
    tonic_prost_build::configure()
        .btree_map(".")
        .type_attribute(".watchdog.admin.v1", "#[derive(serde::Serialize, serde::Deserialize)]")
        .compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed=proto");
    Ok(())
}

fn prost_bytes(descriptors: &impl prost::Message) -> Vec<u8> {
    descriptors.encode_to_vec()
}
