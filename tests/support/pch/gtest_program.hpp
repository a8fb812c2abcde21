// SPDX-License-Identifier: LGPL-2.1-or-later
// What nearly every test includes, compiled once for each program of tests (meson's cpp_pch).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>
