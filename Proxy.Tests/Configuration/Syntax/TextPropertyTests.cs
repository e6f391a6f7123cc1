using System.Net;
using CsCheck;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Configuration.Syntax;

public class TextPropertyTests
{
    private static readonly Gen<string> Name = Gen.String[Gen.OneOf("abcXYZ019-_.".ToCharArray()), 1, 12];

    /// <summary>What can stand between quotes: anything but quotes and line ends.</summary>
    private static readonly Gen<string> Value = Gen.String[
        Gen.Char[' ', '\u00FF'].Where(static c => c != '"' && !char.IsControl(c) && c != '\u0085'), 0, 30];

    [Test]
    public void Duration_that_is_shown_is_the_same_when_it_is_read() => Gen.Int[0, 999_999_999].Holds(static milliseconds =>
    {
        var duration = TimeSpan.FromMilliseconds(milliseconds);
        return DurationText.TryParse(DurationText.Show(duration), out var read) && read == duration;
    });

    [Test]
    public void Address_that_is_shown_is_the_same_when_it_is_read() =>
        Gen.Select(Gen.OneOf(Properties.IPv4, Properties.IPv6), Properties.Port).Holds(static one =>
        {
            var (address, port) = one;
            if (address is { IsIPv6LinkLocal: true })
                return true;
            var expected = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
            return AddressText.ParseIPEndPoint(new IPEndPoint(address, port).ToString(), out var read) is null
                && read.Port == port && read.Address.Equals(expected);
        });

    [Test]
    public void Sections_that_are_written_are_the_same_when_they_are_read() =>
        Gen.Select(Name, Gen.Select(Name, Value).Array[0, 6]).Array[0, 4].Holds(static sections =>
        {
            var distinct = sections.DistinctBy(static section => section.Item1, StringComparer.OrdinalIgnoreCase).ToArray();
            var text = new System.Text.StringBuilder("; a comment\n");
            var expected = new List<string>();
            foreach (var (name, given) in distinct)
            {
                text.Append('[').Append(name).Append("] ; and another\n\n");
                foreach (var (key, value) in given.DistinctBy(static one => one.Item1, StringComparer.OrdinalIgnoreCase))
                {
                    text.Append(key).Append(" = \"").Append(value).Append("\" ; \"x\"\r\n");
                    expected.Add($"{name} {key} {value}");
                }
            }

            var issues = new ConfigurationIssues();
            var read = ConfFile.Parse(text.ToString(), "t.conf", issues, new NoAdvice());
            return issues.Errors().Count == 0
                && read.SelectMany(static one => one.Entries, static (one, entry) => $"{one.Name} {entry.Key} {entry.Value}")
                    .SequenceEqual(expected);
        });

    [Test]
    public void Text_that_is_encoded_is_the_same_when_it_is_decoded() => Gen.String[0, 60].Holds(static any =>
    {
        // Without lone surrogates, which no encoding has, and without what begins a file as a mark does.
        string text = "; " + System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(any));
        return ConfEncoding.TryDecode(System.Text.Encoding.UTF8.GetBytes(text), out string utf8, out _) && utf8 == text
            && ConfEncoding.TryDecode([0xFF, 0xFE, .. System.Text.Encoding.Unicode.GetBytes(text)], out string utf16, out _)
            && utf16 == text;
    });
}
