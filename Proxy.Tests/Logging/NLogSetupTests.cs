using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Logging;
using TorBalancer.Server;

namespace TorBalancer.Tests.Logging;

[NonParallelizable] // NLog's configuration is the process's.
public partial class NLogSetupTests
{
    private string _directory = "";

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("tbt").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [Test]
    public void Json_line_has_the_fields_as_the_message_shows_them()
    {
        string line = Write("json", static logger => Log.Sample(logger, new IPEndPoint(IPAddress.Loopback, 1080), 42));

        using var json = JsonDocument.Parse(line);
        var fields = json.RootElement;
        Assert.That(fields.GetProperty("event").GetString(), Is.EqualTo("sample"));
        Assert.That(fields.GetProperty("level").GetString(), Is.EqualTo("info"));
        Assert.That(fields.GetProperty("message").GetString(), Is.EqualTo("On 127.0.0.1:1080: 42"));
        Assert.That(fields.GetProperty("Address").GetString(), Is.EqualTo("127.0.0.1:1080"));
        Assert.That(fields.GetProperty("Count").GetInt32(), Is.EqualTo(42));
        Assert.That(fields.GetProperty("EventId").GetInt32(), Is.EqualTo(1));
    }

    [Test]
    public void Text_line_has_time_level_and_message() =>
        Assert.That(Write("text", static logger => Log.Sample(logger, new IPEndPoint(IPAddress.Loopback, 1080), 42)),
            Does.Match(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO  On 127\.0\.0\.1:1080: 42\n$"));

    [Test]
    public void Failures_of_ours_are_written_with_their_stack() =>
        Assert.That(
            Write("text", static logger => Log.Failed(logger, new InvalidOperationException("broken"))),
            Does.Contain("InvalidOperationException: broken"));

    [Test]
    public void Failures_that_the_command_tells_are_not_told_twice() =>
        Assert.That(Write("text", static logger => Log.Failed(logger, new ListenException("main", "taken", new IOException()))), Is.Empty);

    private string Write(string format, Action<ILogger> write)
    {
        string path = Path.Combine(_directory, "log");
        using (var loggers = LoggerFactory.Create(builder => NLogSetup.AddTo(builder, new LogOptions { Format = format, File = path })))
        {
            write(loggers.CreateLogger<NLogSetupTests>());
            NLogSetup.Flush();
        }

        return File.Exists(path) ? File.ReadAllText(path) : "";
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "On {Address}: {Count}", EventName = "sample")]
        public static partial void Sample(ILogger logger, EndPoint address, int count);

        [LoggerMessage(2, LogLevel.Error, "It failed")]
        public static partial void Failed(ILogger logger, Exception failure);
    }
}
