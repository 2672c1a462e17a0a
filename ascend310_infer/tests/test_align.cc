#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "align.h"
#include "errors.h"
#include "face.h"
#include "scratch.h"

namespace infer310 {
namespace {

const Landmarks kReference = {30.2946, 51.6963, 65.5318, 51.5014, 48.0252, 71.7366, 33.5493, 92.3655, 62.7299, 92.2041};

cv::Mat gradient(int rows, int columns) {
    cv::Mat image(rows, columns, CV_8UC3);
    for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < columns; ++x) {
            image.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<unsigned char>(x), static_cast<unsigned char>(y), 7);
        }
    }
    return image;
}

std::string encoded(const cv::Mat& image, const char* suffix) {
    std::vector<unsigned char> bytes;
    cv::imencode(suffix, image, bytes);
    return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST(SimilarityTest, IsTheIdentityAtTheReference) {
    const auto matrix = similarity(kReference);
    const std::array<double, 6> identity = {1, 0, 0, 0, 1, 0};
    for (std::size_t i = 0; i < matrix.size(); ++i) {
        EXPECT_NEAR(matrix[i], identity[i], 1e-12);
    }
    EXPECT_NE(message_of<InputError>([] { similarity(Landmarks{}); }).find("coincide"), std::string::npos);
}

TEST(CropTest, OfTheReferenceIsTheImageItself) {
    const cv::Mat image = gradient(kHeight, kWidth);
    EXPECT_EQ(cv::norm(crop(image, kReference), image, cv::NORM_INF), 0);
    EXPECT_NE(message_of<InputError>([] { crop(gradient(20, 20), kReference); }).find("lie outside the image of 20x20"),
              std::string::npos);
}

TEST(NormaliseTest, PutsChannelByChannel) {
    std::vector<float> values(kFaceValues);
    normalise(gradient(kHeight, kWidth), values.data());
    EXPECT_EQ(values[1], (1 - 127.5F) / 128);                                       // blue at (1, 0)
    EXPECT_EQ(values[std::size_t{kHeight} * kWidth + kWidth], (1 - 127.5F) / 128);  // green at (0, 1)
    EXPECT_EQ(values.back(), (7 - 127.5F) / 128);
}

TEST(ReadImageTest, WhatIsNoWholeImageIsRefused) {
    const Scratch scratch;
    const cv::Mat image = gradient(64, 48);
    for (const char* suffix : {".jpg", ".png", ".bmp"}) {
        const std::string whole = encoded(image, suffix);
        EXPECT_EQ(read_image(scratch.write("whole", whole)).size(), image.size());
        const auto path = scratch.write("cut", whole.substr(0, whole.size() - 3));
        EXPECT_EQ(message_of<InputError>([&] { read_image(path); }),
                  path.string() + ": is not a whole image that can be decoded");
    }
    EXPECT_NE(message_of<InputError>([&] { read_image(scratch.write("empty", "")); }).find("is empty"),
              std::string::npos);
    EXPECT_NE(message_of<InputError>([&] { read_image(scratch / "none"); }).find("no such file"), std::string::npos);
    const auto path = scratch.write("small.png", encoded(gradient(20, 20), ".png"));
    std::vector<float> out(kFaceValues);
    EXPECT_NE(
        message_of<InputError>([&] { face_of(path, kReference, out.data()); }).find("small.png: the landmarks lie"),
        std::string::npos);
}

}  // namespace infer310
