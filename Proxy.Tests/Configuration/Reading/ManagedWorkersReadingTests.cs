using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Tests.Configuration.Reading;

/// <summary>Countries, bridges and transports of [ManagedWorkers]: what they become, and what is said of wrong ones.</summary>
public sealed class ManagedWorkersReadingTests
{
    private string _directory = "";

    [SetUp]
    public void SetUp()
    {
        _directory = Directory.CreateTempSubdirectory("tbc").FullName;
        File.WriteAllText(Path.Combine(_directory, "geoip"), "16909060,16909060,DE\n16909061,16909061,US\n");
        File.WriteAllText(Path.Combine(_directory, "torrc"), $"GeoIPFile {_directory}/geoip\n");
        File.WriteAllText(Path.Combine(_directory, "nogeoip"), "GeoIPFile /nowhere/geoip\n");
        File.WriteAllText(Path.Combine(_directory, "bridges"), "# two\n192.0.2.7:443\n192.0.2.8:443\n");
        File.WriteAllText(Path.Combine(_directory, "bad"), "192.0.2.7:443\nobfs4 192.0.2.8:443\n");
    }

    [TearDown]
    public void TearDown() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void Countries_count_the_workers()
    {
        var result = Load("Countries = de, US:2, any\nExtraTorrc = {0}/torrc");
        Assert.That(result.Errors, Is.Empty);
        Assert.That(result.Warnings, Is.Empty);
        Assert.That(
            result.Options.ManagedWorkers.Countries, Is.EqualTo(new[] { new CountryShare("de", 1), new("us", 2), new("", 1) }));
        Assert.That(result.Options.ManagedWorkers.Count, Is.EqualTo(4));
        Assert.That(Load("Count = 4\nCountries = de:4\nExtraTorrc = {0}/torrc").Errors, Is.Empty);
    }

    [TestCase("Countries = de:0\nExtraTorrc = {0}/torrc", "asks for a number of workers that is out of range")]
    [TestCase("Countries = germany\nExtraTorrc = {0}/torrc", "is not a country code")]
    [TestCase("Countries = de:x\nExtraTorrc = {0}/torrc", "has no number behind its colon")]
    [TestCase("Countries = de:20, us:20\nExtraTorrc = {0}/torrc", "Countries names 40 workers; 32 are the most")]
    [TestCase("Count = 3\nCountries = de, us\nExtraTorrc = {0}/torrc",
        "Count = 3, but Countries names 2 workers; leave Count out, or add any:N")]
    [TestCase("Countries = de\nExtraTorrc = {0}/nogeoip",
        "Countries needs a GeoIP file, and there is none (/nowhere/geoip): install Debian's package tor-geoipdb")]
    [TestCase("Bridges = {0}/nope", "Bridges = \"{0}/nope\" does not exist")]
    [TestCase("Bridges = {0}/bad", "Bridges = \"{0}/bad\" line 2 lacks cert=, which obfs4 needs")]
    [TestCase("Bridges = obfs4 192.0.2.8:443", "is a bridge line that lacks cert=, which obfs4 needs")]
    [TestCase("Bridges = 192.0.2.8:443 | 192.0.2.8:x", "has a bridge line, number 2, that has the address \"192.0.2.8:x\"")]
    [TestCase("Transports = obfs4", "is not auto or a list of transports with their programs")]
    [TestCase("Transports = obfs4=relative", "is not auto or a list of transports with their programs")]
    [TestCase("Transports = obfs4=/opt/obfs4proxy \\, snowflake=/opt/snow", "is not auto or a list of transports with their programs")]
    public void What_is_wrong_is_said(string lines, string says) =>
        Assert.That(
            Load(lines).Errors.Select(static issue => issue.ToString()),
            Has.Exactly(1).Contains(says.Replace("{0}", _directory, StringComparison.Ordinal)));

    [Test]
    public void A_country_that_the_GeoIP_file_does_not_know_is_warned_of() =>
        Assert.That(
            Load("Countries = de, uk\nExtraTorrc = {0}/torrc").Warnings.Select(static issue => issue.ToString()),
            Has.Exactly(1).Contains("Countries has uk, a country that"));

    [Test]
    public void The_GeoIP_file_is_read_no_further_than_the_last_country_and_across_blocks()
    {
        static string Lines(string country, int count) =>
            string.Concat(Enumerable.Repeat($"16909060,16909061,{country}\n", count));

        // The second country's letters pass over the end of the first block of 65,536.
        for (int shift = 10; shift < 24; shift++)
        {
            string text = new string('#', shift) + "\n" + Lines("DE", 3_119) + Lines("US", 1) + Lines("FR", 20_000);
            var file = new StringReader(text);
            Assert.That(GeoIPFile.Missing(file, ["us", "de"]), Is.Empty);
            Assert.That(file.ReadToEnd(), Has.Length.GreaterThan(300_000), "the rest was not needed");
            Assert.That(GeoIPFile.Missing(new StringReader(text), ["xx", "fr"]), Is.EqualTo(new[] { "xx" }));
        }
    }

    [TestCase("Bridges = {0}/bridges", "{0}/bridges", 0)]
    [TestCase("Bridges = bridges", "{0}/bridges", 0)]
    [TestCase("Bridges = 192.0.2.7:443", "", 1)]
    [TestCase("Bridges = obfs4 192.0.2.7:443 cert=a iat-mode=0 | 192.0.2.8:443", "", 2)]
    public void Bridges_are_a_file_or_lines(string line, string file, int lines)
    {
        var result = Load(line);
        Assert.That(result.Errors, Is.Empty);
        Assert.That(
            result.Options.ManagedWorkers.BridgesFile, Is.EqualTo(file.Replace("{0}", _directory, StringComparison.Ordinal)));
        Assert.That(result.Options.ManagedWorkers.Bridges, Has.Count.EqualTo(lines));
    }

    [Test]
    public void Transports_have_programs_with_arguments()
    {
        var result = Load("Transports = obfs4=/opt/lyrebird, snowflake=/opt/snow -log /var/log/snow");
        Assert.That(
            result.Options.ManagedWorkers.Transports,
            Is.EqualTo(new[] { new TransportProgram("obfs4", "/opt/lyrebird"), new("snowflake", "/opt/snow -log /var/log/snow") }));
        Assert.That(Load("Transports = AUTO").Options.ManagedWorkers.Transports, Is.Empty);
    }

    private TorBalancer.Configuration.ConfigurationResult Load(string lines)
    {
        string path = Path.Combine(_directory, "t.conf");
        File.WriteAllText(path, "[ManagedWorkers]\n" + lines.Replace("{0}", _directory, StringComparison.Ordinal));
        return Loading.Sources(path: path, files: TorBalancer.Configuration.Reading.DiskFiles.Instance);
    }
}
