#include "app/run.h"

int main(int argc, char** argv) { return epi::app::Run(std::vector<std::string>(argv + 1, argv + argc)); }
