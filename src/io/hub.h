// The Hugging Face Hub: names of models to local folders, through the cache that the Python library uses too:
// models--org--name/{blobs, refs, snapshots/<commit>}. Reference: huggingface_hub (constants.py, file_download.py).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace transformers {

/// How to resolve and download. Empty fields take the environment's values, as the Python library does.
struct HubOptions {
  std::string revision = "main";            ///< Branch, tag or commit.
  std::string cache_dir;                    ///< Else HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub, ~/.cache/...
  std::string token;                        ///< Else HF_TOKEN, then the file HF_HOME/token.
  std::string endpoint;                     ///< Else HF_ENDPOINT, then https://huggingface.co.
  bool local_files_only = false;            ///< Also HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE.
  bool force_download = false;              ///< Download again what the cache has.
  std::string variant;                      ///< "fp16": the weights model.fp16.safetensors.
  std::vector<std::string> allow_patterns;  ///< Shell patterns of files to fetch; empty: what a model needs to run.
  int retries = 5;                          ///< Further attempts after a lost connection or a 429 or 5xx answer.
  double timeout_seconds = 10;              ///< To connect, and for any stretch of silence.
  double wait_seconds = 1;                  ///< Before the first further attempt; doubles each time.
  /// Bytes of a file so far and in all (-1 when unknown).
  std::function<void(const std::string& file, int64_t done, int64_t total)> progress;
};

/// A local folder with the model's files: `name` itself when it is a folder (or a file, such as a GGUF file), else the cached (or downloaded) snapshot of
/// "name", "org/name" or "org/name@revision". Without a connection a cached snapshot is used, with a warning.
/// Throws IoError when offline and not in the cache, NetworkError, ValueError for a malformed name.
std::string resolve_model(const std::string& name, const HubOptions& options = {});

/// The path of one file of a model. Throws as resolve_model.
std::string hub_file(const std::string& name, const std::string& file, const HubOptions& options = {});

/// The names of a model's files at a revision, from the Hub. Throws NetworkError.
std::vector<std::string> hub_files(const std::string& name, const HubOptions& options = {});

/// The cache folder, from the environment.
std::string hub_cache_directory();
/// Whether the environment forbids the network.
bool hub_offline();
/// The user's token, "" when there is none.
std::string hub_token();

/// Of a model's files those that are needed to run it: configurations, tokenizers and one form of the weights.
std::vector<std::string> needed_files(const std::vector<std::string>& files, const std::string& variant = "");

}  // namespace transformers
