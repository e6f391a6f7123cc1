using System.Buffers;
using TorBalancer.Fuzz;
using TorBalancer.Tests.Architecture;

namespace TorBalancer.Tests.Fuzz;

/// <summary>
/// What the fuzzer has found so far, and a short walk from there. The same inputs in every run: `eng/fuzz.sh` is for longer ones. What
/// once was a crash lies in the corpus as well.
/// </summary>
public class FuzzCorpusTests
{
    private const int Mutations = 1500, Seed = 20;

    private static readonly string Root = Path.Combine(Repository.Root, "Proxy.Fuzz");

    private static IEnumerable<string> Names => FuzzTargets.All.Select(static target => target.Name);

    [TestCaseSource(nameof(Names))]
    public void Corpus_of_a_target_keeps_its_promises(string name)
    {
        var corpus = Corpus.Read(Path.Combine(Root, "Corpus", name));

        Assert.That(corpus, Is.Not.Empty);
        foreach (var (file, bytes) in corpus)
            Check(name, bytes, file);
    }

    [TestCaseSource(nameof(Names)), CancelAfter(120_000)]
    public void Mutations_of_the_corpus_keep_its_promises(string name)
    {
        string dictionary = Path.Combine(Root, "Dictionaries", name + ".dict");
        var words = File.Exists(dictionary) ? Corpus.ReadWords(File.ReadAllText(dictionary)) : [];
        byte[][] inputs = [.. Corpus.Read(Path.Combine(Root, "Corpus", name)).Select(static one => one.Bytes)];
        var mutator = new Mutator(inputs, words, Seed);

        for (int i = 0; i < Mutations; i++)
            Check(name, mutator.Next(), $"mutation {i}");
    }

    [Test]
    public void Folders_are_those_of_targets()
    {
        Assert.That(FoldersOf("Corpus"), Is.EquivalentTo(Names));
        Assert.That(
            Directory.EnumerateFiles(Path.Combine(Root, "Dictionaries")).Select(Path.GetFileNameWithoutExtension), Is.SubsetOf(Names));
    }

    [Test]
    public void Corpus_stays_small() =>
        Assert.That(
            Directory.EnumerateFiles(Path.Combine(Root, "Corpus"), "*", SearchOption.AllDirectories)
                .Sum(static path => new FileInfo(path).Length),
            Is.LessThan(1_000_000));

    /// <summary>That a target can fail at all: with a parser that takes more than it was given.</summary>
    [Test]
    public void ScriptedReader_who_takes_what_has_not_come_is_found_out()
    {
        var reader = new ScriptedReader([1, 2, 3], [2, 3]);
        var first = Expect.AtOnce(reader.ReadAsync());
        reader.AdvanceTo(first.Buffer.Start, first.Buffer.End);
        var both = Expect.AtOnce(reader.ReadAsync());

        Assert.That(first.Buffer.Length, Is.EqualTo(2));
        Assert.That(both.Buffer.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That(() => reader.AdvanceTo(both.Buffer.End, both.Buffer.Start), Throws.TypeOf<BrokenPropertyException>());
    }

    private static IEnumerable<string> FoldersOf(string folder) =>
        Directory.EnumerateDirectories(Path.Combine(Root, folder)).Select(static path => Path.GetFileName(path)!);

    private static void Check(string name, byte[] input, string what)
    {
        try
        {
            FuzzTargets.Find(name)!.Run(input);
        }
        catch (Exception failure)
        {
            Assert.Fail($"{name}, {what}: {failure}\ninput: {Convert.ToHexString(input)}");
        }
    }
}
