#include "align.h"

#include <cmath>
#include <cstddef>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "errors.h"
#include "face.h"
#include "files.h"
#include "jpeg.h"

namespace infer310 {
namespace {

// SphereFace, preprocess/code/face_align_demo.m.
constexpr Landmarks kReference = {30.2946, 51.6963, 65.5318, 51.5014, 48.0252,
                                  71.7366, 33.5493, 92.3655, 62.7299, 92.2041};

struct Centre {
    double x = 0, y = 0;
};

Centre centre_of(const Landmarks& points) {
    Centre centre;
    for (std::size_t i = 0; i < points.size(); i += 2) {
        centre.x += points[i];
        centre.y += points[i + 1];
    }
    return {centre.x / 5, centre.y / 5};
}

}  // namespace

std::array<double, 6> similarity(const Landmarks& landmarks) {
    const Centre to = centre_of(kReference), from = centre_of(landmarks);
    double spread = 0, cosine = 0, sine = 0;
    for (std::size_t i = 0; i < landmarks.size(); i += 2) {
        const double rx = kReference[i] - to.x, ry = kReference[i + 1] - to.y;
        const double px = landmarks[i] - from.x, py = landmarks[i + 1] - from.y;
        spread += rx * rx + ry * ry;
        cosine += rx * px + ry * py;
        sine += rx * py - ry * px;
    }
    cosine /= spread;
    sine /= spread;
    const double squared = cosine * cosine + sine * sine;
    if (!(squared > 1e-12) || !std::isfinite(squared)) {
        throw InputError("the five landmarks coincide or are not numbers");
    }
    const double a = cosine / squared, b = sine / squared;
    return {a, b, to.x - (a * from.x + b * from.y), -b, a, to.y - (a * from.y - b * from.x)};
}

cv::Mat crop(const cv::Mat& image, const Landmarks& landmarks) {
    const Centre centre = centre_of(landmarks);
    if (!(centre.x >= 0 && centre.x < image.cols && centre.y >= 0 && centre.y < image.rows)) {
        throw InputError("the landmarks lie outside the image of " + std::to_string(image.cols) + "x" +
                         std::to_string(image.rows) + " pixels");
    }
    std::array<double, 6> values = similarity(landmarks);
    const cv::Mat matrix(2, 3, CV_64F, values.data());
    cv::Mat face;
    cv::warpAffine(image, face, matrix, cv::Size(kWidth, kHeight), cv::INTER_LINEAR);
    return face;
}

void normalise(const cv::Mat& face, float* out) {
    constexpr std::size_t kPlane = std::size_t{kHeight} * kWidth;
    for (int y = 0; y < kHeight; ++y) {
        const auto* pixel = face.ptr<std::uint8_t>(y);
        for (int x = 0; x < kWidth; ++x, ++out, pixel += kChannels) {
            for (int channel = 0; channel < kChannels; ++channel) {
                out[kPlane * static_cast<std::size_t>(channel)] =
                    (static_cast<float>(pixel[channel]) - 127.5F) * (1.0F / 128);
            }
        }
    }
}

cv::Mat read_image(const std::filesystem::path& path) {
    const std::string bytes = read_file(path, "file");
    if (bytes.empty()) {
        throw InputError(path.string() + ": is empty");
    }
    cv::Mat image;
    if (is_whole_jpeg(bytes)) {
        try {
            image = cv::imdecode(std::vector<unsigned char>(bytes.begin(), bytes.end()), cv::IMREAD_COLOR);
        } catch (const cv::Exception& error) {
            throw InputError(path.string() + ": cannot be decoded: " + error.err);
        }
    }
    if (image.empty()) {
        throw InputError(path.string() + ": is not a whole image that can be decoded");
    }
    return image;
}

void face_of(const std::filesystem::path& path, const Landmarks& landmarks, float* out) {
    const cv::Mat image = read_image(path);
    try {
        normalise(crop(image, landmarks), out);
    } catch (const InputError& error) {
        throw InputError(path.string() + ": " + error.what());
    }
}

}  // namespace infer310
