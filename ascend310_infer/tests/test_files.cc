#include <gtest/gtest.h>
#include <unistd.h>

#include "errors.h"
#include "files.h"
#include "mapped.h"
#include "scratch.h"

namespace infer310 {
namespace fs = std::filesystem;

TEST(AtomicFileTest, AppearsAtCommitAndNotBefore) {
    const Scratch scratch;
    scratch.write("a.txt", "old");
    {
        AtomicFile file(scratch / "a.txt");
        file.write("new");
        EXPECT_EQ(read_file(scratch / "a.txt", "file"), "old");
        EXPECT_EQ(Mapped(file.descriptor(), "a.txt").bytes(), "new");
        file.commit();
    }
    EXPECT_EQ(read_file(scratch / "a.txt", "file"), "new");
    { AtomicFile(scratch / "b.txt").write("never"); }
    EXPECT_EQ(scratch.entries(), 1U);
}

TEST(AtomicFolderTest, TakesThePlaceOfTheOlderOne) {
    const Scratch scratch;
    scratch.write("out/old", "old");
    {
        AtomicFolder folder(scratch / "out");
        folder.write("new", "12", 2);
        EXPECT_TRUE(fs::exists(scratch / "out/old"));
        folder.commit();
    }
    EXPECT_FALSE(fs::exists(scratch / "out/old"));
    EXPECT_EQ(read_file(scratch / "out/new", "file"), "12");
    {
        const AtomicFolder never(scratch / "never");
        never.write("x", "x", 1);
    }
    {
        AtomicFolder first(scratch / "first");
        first.commit();
    }
    EXPECT_TRUE(fs::is_directory(scratch / "first"));
    EXPECT_EQ(scratch.entries(), 2U);
}

TEST(FilesTest, WhatKilledWritersLeftIsRemoved) {
    const Scratch scratch;
    for (const char* name : {".a.Xy12Zz.npy", ".b.Xy12Zz/file", ".a.short.npy", ".ab.Xy12Zz.npy", "a.npy"}) {
        scratch.write(name, "x");
    }
    remove_leftovers(scratch / "a.npy");
    remove_leftovers(scratch / "b");
    EXPECT_FALSE(fs::exists(scratch / ".a.Xy12Zz.npy"));
    EXPECT_FALSE(fs::exists(scratch / ".b.Xy12Zz"));
    EXPECT_EQ(scratch.entries(), 3U);
}

TEST(FilesTest, AnOutputThatCannotBeWrittenIsNamed) {
    const Scratch scratch;
    const fs::path file = scratch.write("file", "");
    EXPECT_NE(message_of<RunError>([&] { make_folder(file / "below"); }).find("cannot be written"), std::string::npos);
    EXPECT_NE(message_of<RunError>([&] { make_folder(file); }).find("cannot be written"), std::string::npos);
    EXPECT_NE(message_of<RunError>([&] { AtomicFile(scratch / "no/a.txt"); }).find("no/a.txt: cannot be written"),
              std::string::npos);
    EXPECT_NE(message_of<RunError>([&] { AtomicFolder(scratch / "no/a"); }).find("no/a: cannot be written"),
              std::string::npos);
    EXPECT_NE(message_of<RunError>([&] { write_file("/dev/full/x", "x"); }).find("/dev/full/x"), std::string::npos);
}

TEST(FilesTest, AnInputThatCannotBeReadIsNamed) {
    const Scratch scratch;
    EXPECT_EQ(message_of<InputError>([&] { read_file(scratch / "none", "pairs file"); }),
              (scratch / "none").string() + ": no such pairs file");
    EXPECT_NE(message_of<InputError>([&] { read_file(scratch.path(), "file"); }).find("cannot be read"),
              std::string::npos);
}

}  // namespace infer310
