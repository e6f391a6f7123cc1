using TorBalancer.Primitives;

namespace TorBalancer.Tests.Primitives;

public class SpellingTests
{
    [TestCase("", "", 0)]
    [TestCase("abc", "", 3)]
    [TestCase("Mode", "mode", 0)]
    [TestCase("Moed", "Mode", 1)]
    [TestCase("Mod", "Mode", 1)]
    [TestCase("Modes", "Mode", 1)]
    [TestCase("Node", "Mode", 1)]
    [TestCase("kitten", "sitting", 3)]
    [TestCase("ca", "abc", 3)]
    public void Distance_known_pairs_exact(string left, string right, int expected)
    {
        Assert.That(Spelling.Distance(left, right), Is.EqualTo(expected));
        Assert.That(Spelling.Distance(right, left), Is.EqualTo(expected));
    }

    [TestCase("randon", "random")]
    [TestCase("round-robin", "round_robin")]
    [TestCase("RANDMO", "random")]
    [TestCase("least", "least_connections")]
    [TestCase("xyzzy", null)]
    [TestCase("", null)]
    [TestCase("r", null)]
    public void Closest_of_the_modes(string word, string? expected) =>
        Assert.That(Spelling.Closest(word, TorBalancer.Balancing.SelectionPolicyNames.All), Is.EqualTo(expected));

    [TestCase("Balance", "Balancing")]
    [TestCase("Logging", "Log")]
    [TestCase("Routing", "Route")]
    [TestCase("Logs, Route", null)]
    [TestCase("Lo", null)]
    [TestCase("Banana", null)]
    public void SharingStem_of_some_sections(string word, string? expected) =>
        Assert.That(Spelling.SharingStem(word, ["Balancing", "Log", "Route", "Rule"]), Is.EqualTo(expected));

    [TestCase("listen-address", "ListenAddress", true)]
    [TestCase("LISTEN_ADDRESS_", "ListenAddress", true)]
    [TestCase("listen", "ListenAddress", false)]
    [TestCase("", "-", true)]
    public void Same_but_for_case_and_separators(string left, string right, bool expected) =>
        Assert.That((Spelling.Same(left, right), Spelling.Same(right, left)), Is.EqualTo((expected, expected)));

    [Test]
    public void Closest_very_long_word_is_not_compared() =>
        Assert.That(Spelling.Closest(new string('x', 100_000), ["x"]), Is.Null);
}
