using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration.Rules;

/// <summary>What would keep the daemon from starting is an error of its configuration, on a real disk.</summary>
public class StartRulesTests
{
    [TestCase("[ManagedWorkers]\nExtraTorrc = {0}/nope", "ExtraTorrc = \"{0}/nope\" does not exist")]
    [TestCase("[ManagedWorkers]\nExtraTorrc = {0}", "ExtraTorrc = \"{0}\" is a directory")]
    [TestCase("[ManagedWorkers]\nTorPath = {0}/nope", "TorPath = \"{0}/nope\" is no file")]
    [TestCase("[ManagedWorkers]\nTorPath = {0}", "TorPath = \"{0}\" is no file")]
    [TestCase("[ManagedWorkers]\nTorPath = {0}/plain", "TorPath = \"{0}/plain\" is not executable")]
    [TestCase("[ManagedWorkers]\nDataDirectory = {0}/plain", "DataDirectory = \"{0}/plain\" is no directory")]
    [TestCase("[ManagedWorkers]\nDataDirectory = {0}/plain/x", "DataDirectory = \"{0}/plain/x\" cannot be made: {0}/plain is no directory")]
    [TestCase("[ManagedWorkers]\nDataDirectory = /proc/x", "DataDirectory = \"/proc/x\" cannot be made")]
    [TestCase("[Balancing]\nKeyFile = {0}/nope", "KeyFile = \"{0}/nope\" does not exist; auto makes one by itself")]
    [TestCase("[Balancing]\nKeyFile = {0}/plain", "KeyFile = \"{0}/plain\" holds no key: 64 hexadecimal digits on one line are one")]
    [TestCase("[Balancing]\nKeyFile = {0}", "KeyFile = \"{0}\" is a directory")]
    [TestCase("[Log]\nFile = /", "File = \"/\" is a directory")]
    [TestCase("[Log]\nFile = {0}/plain/x.log", "File = \"{0}/plain/x.log\" cannot be made: {0}/plain is no directory")]
    public void Check_finds_what_the_start_would(string text, string expected)
    {
        using var place = new Place();

        var result = Loading.Text(text.Replace("{0}", place.Path, StringComparison.Ordinal), DiskFiles.Instance);

        Assert.That(Loading.Join(result.Errors), Does.Contain(expected.Replace("{0}", place.Path, StringComparison.Ordinal)));
        Assert.That(result.Errors, Has.Count.EqualTo(1));
    }

    [TestCase("[ManagedWorkers]\nExtraTorrc = {0}/plain\nTorPath = {0}/program\nDataDirectory = {0}/new/data")]
    [TestCase("[Log]\nFile = {0}/new/x.log")]
    [TestCase("[ManagedWorkers]\nExtraTorrc = {0}/nope\n[Worker:a]\nSocksPort = 9050", Description = "is not used")]
    public void Check_takes_what_can_be_made(string text)
    {
        using var place = new Place();

        Assert.That(Loading.Join(Loading.Text(text.Replace("{0}", place.Path, StringComparison.Ordinal), DiskFiles.Instance).Errors),
            Is.Empty);
    }

    [TestCase("[Rule:x]\nDomain = localhost\nRoute = socks\n[Health]\nCanary = http://localhost/")]
    [TestCase("[Rule:x]\nNetwork = 192.168.0.0/16\nRoute = auto\n[Health]\nCanary = 192.168.1.1:80")]
    [TestCase("[Health]\nEnabled = no\nCanary = 192.168.1.1:80")]
    public void Canary_that_workers_may_reach_is_no_warning(string text) =>
        Assert.That(Loading.Join(Loading.Text(text).Warnings), Is.Empty);

    private sealed class Place : IDisposable
    {
        public Place()
        {
            File.WriteAllText(Path + "/plain", "");
            File.WriteAllText(Path + "/program", "");
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(Path + "/plain", UnixFileMode.UserRead | UnixFileMode.UserWrite);
                File.SetUnixFileMode(Path + "/program", UnixFileMode.UserRead | UnixFileMode.UserExecute);
            }
        }

        public string Path { get; } = Directory.CreateTempSubdirectory("tbs").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
