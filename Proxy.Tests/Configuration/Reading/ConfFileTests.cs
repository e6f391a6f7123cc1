using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration.Reading;

public class ConfFileTests
{
    [TestCase("value", "value")]
    [TestCase("value ; comment", "value")]
    [TestCase("value\t;comment", "value")]
    [TestCase("value;no comment", "value;no comment")]
    [TestCase("; nothing but a comment", "")]
    [TestCase("", "")]
    [TestCase("value # no comment", "value # no comment")]
    [TestCase("\"value ; kept\"", "value ; kept")]
    [TestCase("\"value ; kept\" ; comment", "value ; kept")]
    [TestCase("sh -c \"a ; b\" ; comment", "sh -c \"a ; b\"")]
    [TestCase("\"a b\" \"c d\"", "\"a b\" \"c d\"")]
    [TestCase("pass\"word ; comment", "pass\"word")]
    [TestCase("\"\"", "")]
    [TestCase("\"  spaces  \"", "  spaces  ")]
    [TestCase("a = b = c", "a = b = c")]
    [TestCase("[x]", "[x]")]
    public void Parse_takes_comment_and_quotes_off(string written, string expected)
    {
        var (sections, errors) = Parse($"[Log]\nFile = {written}\n");

        Assert.That(errors, Is.Empty);
        Assert.That(sections[0].Entries[0].Value, Is.EqualTo(expected));
    }

    [TestCase("\n")]
    [TestCase("\r\n")]
    [TestCase("\r")]
    public void Parse_any_line_end_counts_lines(string end)
    {
        string text = string.Join(end, "# first", "", "[Log] ; comment", "  Level = warn", "\t; comment", "Format=json",
            "[ Worker : w-1 ]", "Weight = 2");

        var (sections, errors) = Parse(text);

        Assert.That(errors, Is.Empty);
        Assert.That(sections.Select(section => (section.Name, section.Line)), Is.EqualTo(new[] { ("Log", 3), ("Worker:w-1", 7) }));
        Assert.That(sections[0].Entries, Is.EqualTo(new[] { new ConfEntry("Level", "warn", 4), new ConfEntry("Format", "json", 6) }));
        Assert.That(sections[1].Entries, Is.EqualTo(new[] { new ConfEntry("Weight", "2", 8) }));
    }

    [Test]
    public void Parse_byte_order_mark_is_no_text()
    {
        var (sections, errors) = Parse("\uFEFF[Log]\nLevel = warn");

        Assert.That(errors, Is.Empty);
        Assert.That(sections[0].Name, Is.EqualTo("Log"));
    }

    [TestCase("[Log\nLevel = warn", "t.conf:1: a section header without its closing ']'")]
    [TestCase("[Log] Level = warn", "t.conf:1: something behind the ']' of a section header; only a comment (;) may follow it")]
    [TestCase("[ ]", "t.conf:1: a section header without a name")]
    [TestCase("Level = warn\n[Log]", "t.conf:1: Level stands before the first [Section]")]
    [TestCase("[Log]\nLevel warn", "t.conf:2: neither [Section] nor Key = value nor a comment (; or #)")]
    [TestCase("[Log]\n= warn", "t.conf:2: neither [Section] nor Key = value nor a comment (; or #)")]
    [TestCase("[Log]\n/ warn", "t.conf:2: neither [Section] nor Key = value nor a comment (; or #)")]
    [TestCase("[Log]\nFile = \"open", "t.conf:2: [Log] File: the value begins with a double quote that is not closed")]
    [TestCase("[Log]\nLevel = warn\n\nlevel = info", "t.conf:4: [Log] level is given twice, the first time in line 2")]
    [TestCase("[Log]\n[Route]\n[LOG]\n", "t.conf:3: [LOG] is given twice, the first time in line 1; put the keys of both into one")]
    [TestCase("[Worker:a]\n[Worker: A ]\n", "t.conf:2: [Worker:A] is given twice, the first time in line 1; put the keys of both into one")]
    public void Parse_malformed_says_where_and_what(string text, string expected) => Assert.That(Parse(text).Errors, Is.EqualTo(expected));

    [Test]
    public void Parse_several_mistakes_all_reported_in_order()
    {
        string errors = Parse("x\n[Log]\ny\nLevel = warn\nLevel = info\n[\n").Errors;

        Assert.That(errors.Split('\n').Select(line => line[..9]), Is.EqualTo(new[] { "t.conf:1:", "t.conf:3:", "t.conf:5:", "t.conf:6:" }));
    }

    [Test]
    public void Parse_second_line_of_a_user_list_is_not_shown()
    {
        string errors = Parse("[Listener:a]\nUsers = ann:one,\n bob:s3cret\n carl:s3cret = x").Errors;

        Assert.That(errors, Does.Contain("t.conf:3:").And.Contain("t.conf:4:").And.Not.Contain("s3cret").And.Not.Contain("bob"));
    }

    private static (IReadOnlyList<ConfSection> Sections, string Errors) Parse(string text)
    {
        var issues = new ConfigurationIssues();
        var sections = ConfFile.Parse(text, "t.conf", issues, new NoAdvice());
        return (sections, Loading.Join(issues.Errors()));
    }
}
