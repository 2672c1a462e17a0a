// sphereface_lite_run MODEL.mindir FACES.f32 EMBEDDINGS.f32: faces (n, 3, 112, 96) through a model in one batch, on the
// cpu; numbers are float32. `sphereface export` compares a model with its checkpoint by it.

#include <cstdio>
#include <string>
#include <vector>

#include "errors.h"
#include "face.h"
#include "files.h"
#include "lite_session.h"

namespace {

const std::string kUsage = "usage: sphereface_lite_run MODEL.mindir FACES.f32 EMBEDDINGS.f32";

int run(int argc, char** argv) {
    if (argc == 2 && std::string(argv[1]) == "--help") {
        return std::puts(kUsage.c_str()) < 0 ? 1 : 0;
    }
    if (argc != 4) {
        throw infer310::InputError(kUsage);
    }
    const std::string faces = infer310::read_file(argv[2], "file of faces");
    if (faces.empty() || faces.size() % infer310::kFaceBytes != 0) {
        throw infer310::InputError(std::string(argv[2]) + ": has " + std::to_string(faces.size()) +
                                   " bytes, which are no whole faces (float32 3x112x96)");
    }
    const std::size_t batch = faces.size() / infer310::kFaceBytes;
    infer310::LiteSession session({argv[1], &infer310::device_named("cpu"), 0, batch, 1});
    if (session.batch() != batch) {
        throw infer310::InputError(std::string(argv[1]) + ": is for batches of " + std::to_string(session.batch()) +
                                   ", not of " + std::to_string(batch));
    }
    std::vector<float> embeddings(batch * session.embedding_size());
    session.embed(reinterpret_cast<const float*>(faces.data()), embeddings.data());
    infer310::write_file(argv[3],
                         {reinterpret_cast<const char*>(embeddings.data()), embeddings.size() * sizeof(float)});
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return infer310::exit_code_of("sphereface_lite_run", run, argc, argv); }
