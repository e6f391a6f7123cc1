namespace TorBalancer.Tests.Architecture;

/// <summary>The other tests of this folder see no more than this leaves over.</summary>
public class CSharpTextTests
{
    [TestCase("a // b\nc", "a c")]
    [TestCase("a /* b\n */ c", "a c")]
    [TestCase("a \"b\\\"c\" d", "a d")]
    [TestCase("a @\"b\"\"c\\\" d", "a @ d")]
    [TestCase("a \"\"\"b \" c\"\"\" d", "a d")]
    [TestCase("a '\"' b '\\'' c", "a b c")]
    [TestCase("a $\"{x} // no\" b // yes", "a $ b")]
    public void WithoutCommentsAndStrings_leaves_the_code(string text, string expected)
    {
        string code = CSharpText.WithoutCommentsAndStrings(text);

        Assert.That(code, Has.Length.EqualTo(text.Length));
        Assert.That(string.Join(' ', code.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)), Is.EqualTo(expected));
    }
}
