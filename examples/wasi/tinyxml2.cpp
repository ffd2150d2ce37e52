// Writes and reads 25 documents with tinyxml2, and indexes them with the standard library.
//
// usage: tinyxml2 [leak|index|cycle]
//   leak     forgets to delete the documents
//   index    forgets to delete a std::map of std::vector
//   cycle    makes pairs of std::shared_ptr that own each other
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tinyxml2.h"

using namespace tinyxml2;

struct Index {
    std::map<std::string, std::vector<int>> places;
};

struct Node {
    std::shared_ptr<Node> next;
    std::string name = "a name that does not fit into the string itself";
};

static std::string write(int n)
{
    XMLDocument document;
    XMLElement *feed = document.NewElement("feed");
    document.InsertEndChild(feed);
    for (int i = 0; i < n; i++) {
        XMLElement *entry = document.NewElement("entry");
        entry->SetAttribute("id", i);
        entry->SetText("a text that does not fit into the string itself");
        feed->InsertEndChild(entry);
    }
    XMLPrinter printer;
    document.Print(&printer);
    return printer.CStr();
}

static size_t read(const std::string &text, const char *forget)
{
    auto *document = new XMLDocument;
    document->Parse(text.c_str());
    auto *index = new Index;
    for (auto *entry = document->FirstChildElement("feed")->FirstChildElement("entry"); entry;
         entry = entry->NextSiblingElement("entry")) {
        index->places[entry->GetText()].push_back(entry->IntAttribute("id"));
    }
    size_t n = index->places.begin()->second.size();
    if (std::strcmp(forget, "index") != 0) delete index;
    if (std::strcmp(forget, "leak") != 0) delete document;
    return n;
}

static void pair(const char *forget)
{
    auto first = std::make_shared<Node>(), second = std::make_shared<Node>();
    first->next = second;
    if (std::strcmp(forget, "cycle") == 0) second->next = first;
}

int main(int argc, char **argv)
{
    const char *forget = argc > 1 ? argv[1] : "";
    size_t sum = 0;
    for (int i = 0; i < 25; i++) {
        sum += read(write(10), forget);
        pair(forget);
    }
    std::printf("%zu entries\n", sum);
}
