using TorBalancer.TorControl;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Tests.TorControl;

public sealed class ControlStringTests
{
    [TestCase("""
        ""
        """, "", 2)]
    [TestCase("""
        "plain" rest
        """, "plain", 7)]
    [TestCase("""
        "a\"b\\c"
        """, "a\"b\\c", 9)]
    [TestCase("""
        "\n\r\t\0\1\12\377"
        """, "\n\r\t\0\u0001\n\u00ff", 19)]
    [TestCase("""
        "abc\001\377\001\377"
        """, "abc\u0001\u00ff\u0001\u00ff", 21)]
    [TestCase("""
        "\400\0019\8\x"
        """, "\u00200\u000198x", 15)]
    [TestCase("""
        "\'\a"
        """, "'a", 6)]
    public void TryUnquote_reads_escapes(string text, string value, int consumed)
    {
        Assert.That(ControlString.TryUnquote(text, out string? actual, out int length));
        Assert.That(actual, Is.EqualTo(value));
        Assert.That(length, Is.EqualTo(consumed));
    }

    [TestCase("")]
    [TestCase("\"")]
    [TestCase("\"abc")]
    [TestCase("\"abc\\\"")]
    [TestCase("\"abc\\")]
    [TestCase("\"abc\\12")]
    [TestCase("abc\"")]
    public void TryUnquote_of_a_string_that_is_not_closed_is_false(string text)
        => Assert.That(ControlString.TryUnquote(text, out _, out _), Is.False);

    [TestCase("plain")]
    [TestCase("a\"b\\c\r\n\t\0 d")]
    [TestCase("\\\"\\")]
    [TestCase("grüße €😀")]
    public void Quote_comes_back_by_Unquote(string value)
    {
        string quoted = ControlString.Quote(value);
        Assert.That(quoted, Does.Match("^\"[ -~]*\"$"));
        Assert.That(ControlString.ToUtf8(ControlString.Unquote(quoted)), Is.EqualTo(value));
    }

    [TestCase("plain", "plain")]
    [TestCase("\"quoted\"", "quoted")]
    [TestCase("\"open", "\"open")]
    public void Unquote_leaves_what_is_not_quoted(string text, string expected)
        => Assert.That(ControlString.Unquote(text), Is.EqualTo(expected));
}
